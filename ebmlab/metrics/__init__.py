"""Metrics: what codes, conditional energies, and chains of samples are worth."""

from ebmlab.metrics.autocorrelation import autocorrelation
from ebmlab.metrics.chains import ess, ess_mean, ess_std, ess_tail, mcse, mcse_std, rhat
from ebmlab.metrics.density import (
    BranchScores,
    branch_scores,
    conditional_nll,
    fit_temperature,
    grid_energies,
)
from ebmlab.metrics.energy_moves import ebfmi, potential_ebfmi
from ebmlab.metrics.representation import (
    code_std,
    effective_rank,
    knn_accuracy,
    linear_probe,
    rankme,
)
from ebmlab.metrics.stein import ksd
from ebmlab.metrics.table import Summary, summary
from ebmlab.metrics.two_samples import TwoSampleTest, mmd, mmd_test

__all__ = [
    "BranchScores",
    "Summary",
    "TwoSampleTest",
    "autocorrelation",
    "branch_scores",
    "code_std",
    "conditional_nll",
    "ebfmi",
    "effective_rank",
    "ess",
    "ess_mean",
    "ess_std",
    "ess_tail",
    "fit_temperature",
    "grid_energies",
    "knn_accuracy",
    "ksd",
    "linear_probe",
    "mcse",
    "mcse_std",
    "mmd",
    "mmd_test",
    "potential_ebfmi",
    "rankme",
    "rhat",
    "summary",
]
