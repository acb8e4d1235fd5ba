"""Functionals of a population of codes that keep it from collapsing; none is an energy."""

from ebmlab.regularizers.cross_correlation import BarlowTwins
from ebmlab.regularizers.gaussianity import SIGReg
from ebmlab.regularizers.mean_entropy import MeanEntropy
from ebmlab.regularizers.populations import Population
from ebmlab.regularizers.variance import VICReg
from ebmlab.regularizers.views import over_views
from ebmlab.regularizers.within import Within

__all__ = ["BarlowTwins", "MeanEntropy", "Population", "SIGReg", "VICReg", "Within", "over_views"]
