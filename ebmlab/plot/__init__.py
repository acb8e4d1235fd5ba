"""Pictures of energies: every function draws on `ax`, or makes a figure that pyplot never sees."""

from ebmlab.plot.calibration import reliability
from ebmlab.plot.chains import trajectories
from ebmlab.plot.codes import codes, spectrum
from ebmlab.plot.convergence import convergence
from ebmlab.plot.curves import curves, free_energy
from ebmlab.plot.diagnostics import ranks, trace
from ebmlab.plot.fields import contour, landscapes
from ebmlab.plot.film import animate
from ebmlab.plot.history import history
from ebmlab.plot.images import images
from ebmlab.plot.pairwise import pairs
from ebmlab.plot.populations import energies
from ebmlab.plot.space import space
from ebmlab.plot.style import style
from ebmlab.plot.surface import surface
from ebmlab.plot.sweep import sweep

__all__ = [
    "animate",
    "codes",
    "contour",
    "convergence",
    "curves",
    "energies",
    "free_energy",
    "history",
    "images",
    "landscapes",
    "pairs",
    "ranks",
    "reliability",
    "space",
    "spectrum",
    "style",
    "surface",
    "sweep",
    "trace",
    "trajectories",
]
