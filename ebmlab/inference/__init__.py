"""Ways to choose the latent z: enumerate, descend, encode."""

from ebmlab.inference.amortized import Amortized
from ebmlab.inference.categorical import AmortizedCategorical
from ebmlab.inference.centered import Centered
from ebmlab.inference.clustered import Clustered
from ebmlab.inference.composite import Composite, LinearComposite
from ebmlab.inference.descent import Descent
from ebmlab.inference.directions import AdaptiveMoments, HeavyBall, Steepest
from ebmlab.inference.enumerate import Enumerate
from ebmlab.inference.factorized import Factorized
from ebmlab.inference.implicit_function import Implicit, implicit
from ebmlab.inference.importance import ImportanceWeighted
from ebmlab.inference.lbfgs import LBFGS
from ebmlab.inference.least_squares import LeastSquares
from ebmlab.inference.levenberg_marquardt import LevenbergMarquardt
from ebmlab.inference.nearest import Nearest, Quantized
from ebmlab.inference.point import NotConvergedWarning
from ebmlab.inference.projected import Projected
from ebmlab.inference.prox import L1, Box, Group, NonNegative, OnSimplex, Penalty
from ebmlab.inference.proximal import Proximal
from ebmlab.inference.refined import Refined
from ebmlab.inference.sampled import Sampled
from ebmlab.inference.sinkhorn import Sinkhorn
from ebmlab.inference.soft_nearest import SoftNearest
from ebmlab.inference.spaces import Binary, Circle, OneHot, Simplex, Sphere, Vector
from ebmlab.inference.stored import Stored
from ebmlab.inference.super_clustered import SuperClustered

__all__ = [
    "L1",
    "LBFGS",
    "AdaptiveMoments",
    "Amortized",
    "AmortizedCategorical",
    "Binary",
    "Box",
    "Centered",
    "Circle",
    "Clustered",
    "Composite",
    "Descent",
    "Enumerate",
    "Factorized",
    "Group",
    "HeavyBall",
    "Implicit",
    "ImportanceWeighted",
    "LeastSquares",
    "LevenbergMarquardt",
    "LinearComposite",
    "Nearest",
    "NonNegative",
    "NotConvergedWarning",
    "OnSimplex",
    "OneHot",
    "Penalty",
    "Projected",
    "Proximal",
    "Quantized",
    "Refined",
    "Sampled",
    "Simplex",
    "Sinkhorn",
    "SoftNearest",
    "Sphere",
    "Steepest",
    "Stored",
    "SuperClustered",
    "Vector",
    "implicit",
]
