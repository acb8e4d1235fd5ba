"""Markov kernels over potentials, and the one loop that runs them."""

from ebmlab.samplers.langevin import Langevin
from ebmlab.samplers.mala import MALA, MetropolisInfo
from ebmlab.samplers.run import run

__all__ = ["MALA", "Langevin", "MetropolisInfo", "run"]
