"""Metrics: what codes, conditional energies, and chains of samples are worth."""

from ebmlab.metrics.auroc import auroc
from ebmlab.metrics.autocorrelation import autocorrelation
from ebmlab.metrics.calibration import (
    Reliability,
    calibration_error,
    reliability,
    temperature_scaling,
)
from ebmlab.metrics.chains import ess, ess_mean, ess_std, ess_tail, mcse, mcse_std, rhat
from ebmlab.metrics.circular import CircularCorrelation, circular_correlation
from ebmlab.metrics.collapse import Collapse, CollapseWarning
from ebmlab.metrics.density import branch_matches, conditional_nll, fit_temperature, grid_energies
from ebmlab.metrics.discriminant import lidar
from ebmlab.metrics.energy_moves import ebfmi, potential_ebfmi
from ebmlab.metrics.energy_score import energy_score
from ebmlab.metrics.frechet import frechet_distance
from ebmlab.metrics.information import gain, information
from ebmlab.metrics.latent import Latent, LatentWarning
from ebmlab.metrics.leak import Leak, leak
from ebmlab.metrics.long_run import LongRun
from ebmlab.metrics.manifolds import precision_recall
from ebmlab.metrics.memorization import Memorization, Neighbors, memorization, nearest
from ebmlab.metrics.modes import mode_weights
from ebmlab.metrics.mutual import MutualInformation, adjusted_rand, mutual_information
from ebmlab.metrics.neighbors import knn_accuracy
from ebmlab.metrics.nll import nll
from ebmlab.metrics.online_accuracy import OnlineAccuracy
from ebmlab.metrics.online_ranks import OnlineRanks
from ebmlab.metrics.probe import linear_probe
from ebmlab.metrics.probes import Probe, probes
from ebmlab.metrics.rate_distortion import RateDistortion, rate_distortion
from ebmlab.metrics.regression import r_squared
from ebmlab.metrics.spectrum import alpha_req, effective_rank, rankme
from ebmlab.metrics.spread import alignment, code_std, dimension_std, uniformity
from ebmlab.metrics.stein import ksd
from ebmlab.metrics.straightness import Straightness, straightness
from ebmlab.metrics.table import summary
from ebmlab.metrics.two_samples import mmd, mmd_test
from ebmlab.metrics.typicality import typicality
from ebmlab.metrics.use import CodeUse, assignments, code_use
from ebmlab.metrics.watches import Watches

__all__ = [
    "CircularCorrelation",
    "CodeUse",
    "Collapse",
    "CollapseWarning",
    "Latent",
    "LatentWarning",
    "Leak",
    "LongRun",
    "Memorization",
    "MutualInformation",
    "Neighbors",
    "OnlineAccuracy",
    "OnlineRanks",
    "Probe",
    "RateDistortion",
    "Reliability",
    "Straightness",
    "Watches",
    "adjusted_rand",
    "alignment",
    "alpha_req",
    "assignments",
    "auroc",
    "autocorrelation",
    "branch_matches",
    "calibration_error",
    "circular_correlation",
    "code_std",
    "code_use",
    "conditional_nll",
    "dimension_std",
    "ebfmi",
    "effective_rank",
    "energy_score",
    "ess",
    "ess_mean",
    "ess_std",
    "ess_tail",
    "fit_temperature",
    "frechet_distance",
    "gain",
    "grid_energies",
    "information",
    "knn_accuracy",
    "ksd",
    "leak",
    "lidar",
    "linear_probe",
    "mcse",
    "mcse_std",
    "memorization",
    "mmd",
    "mmd_test",
    "mode_weights",
    "mutual_information",
    "nearest",
    "nll",
    "potential_ebfmi",
    "precision_recall",
    "probes",
    "r_squared",
    "rankme",
    "rate_distortion",
    "reliability",
    "rhat",
    "straightness",
    "summary",
    "temperature_scaling",
    "typicality",
    "uniformity",
]
