"""Markov kernels over potentials, and the one loop that runs them."""

from ebmlab.samplers._run.run import run
from ebmlab.samplers._warmup.warmup import warmup
from ebmlab.samplers.annealed import Annealed, geometric, linear
from ebmlab.samplers.chees import ChEESHMC
from ebmlab.samplers.discrete import Binary, Categorical
from ebmlab.samplers.discrete_langevin import DiscreteLangevin
from ebmlab.samplers.elliptical import EllipticalSlice
from ebmlab.samplers.gibbs import Coloring, Gibbs
from ebmlab.samplers.gibbs_with_gradients import GibbsWithGradients
from ebmlab.samplers.heated import Heated
from ebmlab.samplers.hmc import HMC
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.langevin import Langevin
from ebmlab.samplers.mala import MALA
from ebmlab.samplers.masked_gibbs import MaskedGibbs
from ebmlab.samplers.metric import Dense, Diagonal
from ebmlab.samplers.nuts import NUTS
from ebmlab.samplers.stages import Stage, noise_levels, noise_stages, walk_down
from ebmlab.samplers.svgd import SVGD
from ebmlab.samplers.tempering import ParallelTempering
from ebmlab.samplers.tunable import Tunable
from ebmlab.samplers.underdamped import Underdamped

__all__ = [
    "HMC",
    "MALA",
    "NUTS",
    "SVGD",
    "Annealed",
    "Binary",
    "Categorical",
    "ChEESHMC",
    "Coloring",
    "Dense",
    "Diagonal",
    "DiscreteLangevin",
    "EllipticalSlice",
    "Gibbs",
    "GibbsWithGradients",
    "Heated",
    "Kernel",
    "Langevin",
    "MaskedGibbs",
    "ParallelTempering",
    "Stage",
    "Tunable",
    "Underdamped",
    "geometric",
    "linear",
    "noise_levels",
    "noise_stages",
    "run",
    "walk_down",
    "warmup",
]
