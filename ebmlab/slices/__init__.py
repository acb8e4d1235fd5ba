"""Slices of an energy: planes through the space of y, and the energy on them, as numbers."""

from ebmlab.slices.grid import Landscape, landscape
from ebmlab.slices.pairs import over_pairs
from ebmlab.slices.parameters import over_parameters
from ebmlab.slices.plane import Plane

__all__ = ["Landscape", "Plane", "landscape", "over_pairs", "over_parameters"]
