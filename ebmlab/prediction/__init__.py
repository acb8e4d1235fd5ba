"""What a model predicts: several answers, sets that hold the truth, and their volumes."""

from ebmlab.prediction.anomaly import anomaly
from ebmlab.prediction.balls import LogVolume, balls_volume
from ebmlab.prediction.centers import centers
from ebmlab.prediction.conformal import Coverage, PredictionSet, calibrate
from ebmlab.prediction.predict import Predictions, predict
from ebmlab.prediction.retrieve import Retrieved, rank, retrieve
from ebmlab.prediction.volume import Volume, low_energy_volume

__all__ = [
    "Coverage",
    "LogVolume",
    "PredictionSet",
    "Predictions",
    "Retrieved",
    "Volume",
    "anomaly",
    "balls_volume",
    "calibrate",
    "centers",
    "low_energy_volume",
    "predict",
    "rank",
    "retrieve",
]
