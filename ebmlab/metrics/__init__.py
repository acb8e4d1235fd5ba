"""Metrics: what codes are worth, and what a conditional energy is worth."""

from ebmlab.metrics.density import (
    BranchScores,
    branch_scores,
    conditional_nll,
    fit_temperature,
    grid_energies,
)
from ebmlab.metrics.representation import (
    code_std,
    effective_rank,
    knn_accuracy,
    linear_probe,
    rankme,
)

__all__ = [
    "BranchScores",
    "branch_scores",
    "code_std",
    "conditional_nll",
    "effective_rank",
    "fit_temperature",
    "grid_energies",
    "knn_accuracy",
    "linear_probe",
    "rankme",
]
