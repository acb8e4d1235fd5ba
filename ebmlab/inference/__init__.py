"""Ways to choose the latent z: enumerate, descend, encode."""

from ebmlab.inference.amortized import Amortized
from ebmlab.inference.descent import Descent
from ebmlab.inference.directions import AdaptiveMoments, HeavyBall, Steepest
from ebmlab.inference.enumerate import Enumerate
from ebmlab.inference.implicit_function import Implicit, implicit
from ebmlab.inference.lbfgs import LBFGS
from ebmlab.inference.least_squares import LeastSquares
from ebmlab.inference.levenberg_marquardt import LevenbergMarquardt
from ebmlab.inference.point import NotConvergedWarning
from ebmlab.inference.spaces import Binary, Circle, OneHot, Simplex, Sphere, Vector

__all__ = [
    "LBFGS",
    "AdaptiveMoments",
    "Amortized",
    "Binary",
    "Circle",
    "Descent",
    "Enumerate",
    "HeavyBall",
    "Implicit",
    "LeastSquares",
    "LevenbergMarquardt",
    "NotConvergedWarning",
    "OneHot",
    "Simplex",
    "Sphere",
    "Steepest",
    "Vector",
    "implicit",
]
