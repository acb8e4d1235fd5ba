"""What a model predicts: several answers, sets that hold the truth, and their volumes."""

from ebmlab.prediction.anomaly import anomaly
from ebmlab.prediction.balls import balls_volume
from ebmlab.prediction.centers import centers
from ebmlab.prediction.conformal import calibrate
from ebmlab.prediction.predict import predict
from ebmlab.prediction.retrieve import rank, retrieve
from ebmlab.prediction.slopes import slope_norms
from ebmlab.prediction.think import think
from ebmlab.prediction.volume import low_energy_volume

__all__ = [
    "anomaly",
    "balls_volume",
    "calibrate",
    "centers",
    "low_energy_volume",
    "predict",
    "rank",
    "retrieve",
    "slope_norms",
    "think",
]
