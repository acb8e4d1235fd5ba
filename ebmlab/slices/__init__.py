"""Slices of an energy: planes and paths through the space of y, and the energy on them."""

from ebmlab.slices.grid import Landscape, landscape
from ebmlab.slices.pairs import over_pairs
from ebmlab.slices.parameters import over_parameters
from ebmlab.slices.path import Path, path
from ebmlab.slices.plane import Plane
from ebmlab.slices.weights import over_weights

__all__ = [
    "Landscape",
    "Path",
    "Plane",
    "landscape",
    "over_pairs",
    "over_parameters",
    "over_weights",
    "path",
]
