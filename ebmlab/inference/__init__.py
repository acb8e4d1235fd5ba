"""Ways to choose the latent z: enumerate, descend, encode."""

from ebmlab.inference.amortized import Amortized
from ebmlab.inference.composite import Composite, LinearComposite
from ebmlab.inference.descent import Descent
from ebmlab.inference.directions import AdaptiveMoments, HeavyBall, Steepest
from ebmlab.inference.enumerate import Enumerate
from ebmlab.inference.implicit_function import Implicit, implicit
from ebmlab.inference.lbfgs import LBFGS
from ebmlab.inference.least_squares import LeastSquares
from ebmlab.inference.levenberg_marquardt import LevenbergMarquardt
from ebmlab.inference.point import NotConvergedWarning
from ebmlab.inference.prox import L1, Box, Group, NonNegative, OnSimplex, Penalty
from ebmlab.inference.proximal import Proximal
from ebmlab.inference.spaces import Binary, Circle, OneHot, Simplex, Sphere, Vector

__all__ = [
    "L1",
    "LBFGS",
    "AdaptiveMoments",
    "Amortized",
    "Binary",
    "Box",
    "Circle",
    "Composite",
    "Descent",
    "Enumerate",
    "Group",
    "HeavyBall",
    "Implicit",
    "LeastSquares",
    "LevenbergMarquardt",
    "LinearComposite",
    "NonNegative",
    "NotConvergedWarning",
    "OnSimplex",
    "OneHot",
    "Penalty",
    "Proximal",
    "Simplex",
    "Sphere",
    "Steepest",
    "Vector",
    "implicit",
]
