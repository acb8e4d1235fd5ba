"""Posteriors of Bayesian practice as energies of unconstrained y, with reference draws of them."""

from ebmlab.data.posteriors.eight_schools import EightSchools
from ebmlab.data.posteriors.gaussian_process import GaussianProcess
from ebmlab.data.posteriors.linear_regression import LinearRegression, lagged
from ebmlab.data.posteriors.reference import Reference, posterior
from ebmlab.data.posteriors.unconstrained import Unconstrained

__all__ = [
    "EightSchools",
    "GaussianProcess",
    "LinearRegression",
    "Reference",
    "Unconstrained",
    "lagged",
    "posterior",
]
