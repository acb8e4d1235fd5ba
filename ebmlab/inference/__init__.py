"""Ways to choose the latent z: enumerate, descend, encode."""

from ebmlab.inference._clusters.centered import Centered
from ebmlab.inference._clusters.clustered import Clustered
from ebmlab.inference._clusters.sinkhorn import Sinkhorn
from ebmlab.inference._clusters.soft_nearest import SoftNearest
from ebmlab.inference._clusters.super_clustered import SuperClustered
from ebmlab.inference._solvers.composite import Composite
from ebmlab.inference._solvers.descent import Descent
from ebmlab.inference._solvers.directions import AdaptiveMoments, HeavyBall, Steepest
from ebmlab.inference._solvers.fixed_steps import FixedSteps
from ebmlab.inference._solvers.implicit_function import Implicit, implicit
from ebmlab.inference._solvers.lbfgs import LBFGS
from ebmlab.inference._solvers.least_squares import LeastSquares
from ebmlab.inference._solvers.levenberg_marquardt import LevenbergMarquardt
from ebmlab.inference._solvers.point import NotConvergedWarning
from ebmlab.inference._solvers.prox import L1, Box, Group, NonNegative, OnSimplex, Penalty
from ebmlab.inference._solvers.proximal import Proximal
from ebmlab.inference.amortized import Amortized
from ebmlab.inference.categorical import AmortizedCategorical
from ebmlab.inference.enumerate import Enumerate
from ebmlab.inference.factorized import Factorized
from ebmlab.inference.importance import ImportanceWeighted
from ebmlab.inference.nearest import Nearest
from ebmlab.inference.product import Product
from ebmlab.inference.projected import Projected
from ebmlab.inference.refined import Refined
from ebmlab.inference.sampled import Sampled
from ebmlab.inference.spaces import Circle, Hypercube, OneHot, Simplex, Sphere, Vector
from ebmlab.inference.stored import Stored

__all__ = [
    "L1",
    "LBFGS",
    "AdaptiveMoments",
    "Amortized",
    "AmortizedCategorical",
    "Box",
    "Centered",
    "Circle",
    "Clustered",
    "Composite",
    "Descent",
    "Enumerate",
    "Factorized",
    "FixedSteps",
    "Group",
    "HeavyBall",
    "Hypercube",
    "Implicit",
    "ImportanceWeighted",
    "LeastSquares",
    "LevenbergMarquardt",
    "Nearest",
    "NonNegative",
    "NotConvergedWarning",
    "OnSimplex",
    "OneHot",
    "Penalty",
    "Product",
    "Projected",
    "Proximal",
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
