"""What a model predicts: several answers, sets that hold the truth, and their volumes."""

from ebmlab.prediction._planners.exhaustive import Exhaustive
from ebmlab.prediction._planners.gradient import Gradient
from ebmlab.prediction._planners.planner import Planner
from ebmlab.prediction._planners.population import CEM, MPPI
from ebmlab.prediction.anomaly import anomaly
from ebmlab.prediction.balls import balls_volume
from ebmlab.prediction.centers import centers
from ebmlab.prediction.choices import calibrate_choices
from ebmlab.prediction.conformal import calibrate
from ebmlab.prediction.nonconformity import Adaptive, Nonconformity, RawEnergy, Surprisal
from ebmlab.prediction.plan import Plan, plan
from ebmlab.prediction.predict import predict
from ebmlab.prediction.retrieve import rank, retrieve
from ebmlab.prediction.rollout import inverse, rollout
from ebmlab.prediction.slopes import slope_norms
from ebmlab.prediction.think import think
from ebmlab.prediction.volume import low_energy_volume

__all__ = [
    "CEM",
    "MPPI",
    "Adaptive",
    "Exhaustive",
    "Gradient",
    "Nonconformity",
    "Plan",
    "Planner",
    "RawEnergy",
    "Surprisal",
    "anomaly",
    "balls_volume",
    "calibrate",
    "calibrate_choices",
    "centers",
    "inverse",
    "low_energy_volume",
    "plan",
    "predict",
    "rank",
    "retrieve",
    "rollout",
    "slope_norms",
    "think",
]
