"""Pictures of energies: every function draws on `ax`, or makes a figure that pyplot never sees."""

from ebmlab.plot.answers import answers
from ebmlab.plot.calibration import reliability
from ebmlab.plot.chains import trajectories
from ebmlab.plot.codes import codes, spectrum
from ebmlab.plot.convergence import convergence
from ebmlab.plot.curves import curves, free_energy
from ebmlab.plot.diagnostics import ranks, trace
from ebmlab.plot.fields import contour, landscapes
from ebmlab.plot.film import animate
from ebmlab.plot.gradients import gradient_map
from ebmlab.plot.history import history
from ebmlab.plot.images import images
from ebmlab.plot.manifold import manifold
from ebmlab.plot.neighbors import nearest
from ebmlab.plot.notebooks import show_in_cells
from ebmlab.plot.pairwise import pairs
from ebmlab.plot.populations import energies
from ebmlab.plot.rates import rate_distortion
from ebmlab.plot.space import space
from ebmlab.plot.strips import animate_images, strip
from ebmlab.plot.style import style
from ebmlab.plot.surface import surface
from ebmlab.plot.sweep import sweep
from ebmlab.plot.thumbnails import path, thumbnails

__all__ = [
    "animate",
    "animate_images",
    "answers",
    "codes",
    "contour",
    "convergence",
    "curves",
    "energies",
    "free_energy",
    "gradient_map",
    "history",
    "images",
    "landscapes",
    "manifold",
    "nearest",
    "pairs",
    "path",
    "ranks",
    "rate_distortion",
    "reliability",
    "space",
    "spectrum",
    "strip",
    "style",
    "surface",
    "sweep",
    "thumbnails",
    "trace",
    "trajectories",
]

show_in_cells()
