"""log Z: by quadrature, enumeration, annealed importance sampling both ways, sequential chains."""

from ebmlab.partition.annealing import ais, reverse_ais
from ebmlab.partition.estimate import Estimate
from ebmlab.partition.evidence import annealed_evidence, evidence
from ebmlab.partition.grids import gauss_legendre, nodes, quadrature, trapezoid
from ebmlab.partition.machines import RBMPath
from ebmlab.partition.populations import smc
from ebmlab.partition.sandwich import Sandwich, sandwich
from ebmlab.partition.states import binary_states, enumerate_states, rbm_log_z

__all__ = [
    "Estimate",
    "RBMPath",
    "Sandwich",
    "ais",
    "annealed_evidence",
    "binary_states",
    "enumerate_states",
    "evidence",
    "gauss_legendre",
    "nodes",
    "quadrature",
    "rbm_log_z",
    "reverse_ais",
    "sandwich",
    "smc",
    "trapezoid",
]
