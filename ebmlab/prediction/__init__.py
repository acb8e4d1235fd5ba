"""What a model predicts: several answers, sets that hold the truth, and their volumes."""

from ebmlab.prediction.anomaly import anomaly
from ebmlab.prediction.balls import balls_volume
from ebmlab.prediction.centers import centers
from ebmlab.prediction.choices import calibrate_choices
from ebmlab.prediction.conformal import calibrate
from ebmlab.prediction.nonconformity import Adaptive, Nonconformity, RawEnergy, Surprisal
from ebmlab.prediction.predict import predict
from ebmlab.prediction.retrieve import rank, retrieve
from ebmlab.prediction.slopes import slope_norms
from ebmlab.prediction.volume import low_energy_volume

__all__ = [
    "Adaptive",
    "Nonconformity",
    "RawEnergy",
    "Surprisal",
    "anomaly",
    "balls_volume",
    "calibrate",
    "calibrate_choices",
    "centers",
    "low_energy_volume",
    "predict",
    "rank",
    "retrieve",
    "slope_norms",
]
