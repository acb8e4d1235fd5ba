"""What shapes an energy: contrast, regularization, score matching."""

from ebmlab.objectives._scores.denoising import DenoisingScore
from ebmlab.objectives._scores.energy_matching import EnergyMatching
from ebmlab.objectives._scores.equilibrium import EquilibriumMatching
from ebmlab.objectives._scores.exact import ExactScore
from ebmlab.objectives._scores.multi_scale import MultiScaleScore
from ebmlab.objectives._scores.sliced import SlicedScore
from ebmlab.objectives.contractive import Contractive
from ebmlab.objectives.contrastive import Contrastive
from ebmlab.objectives.denoising import Denoising
from ebmlab.objectives.matrix_free import NTXent
from ebmlab.objectives.quantized import VectorQuantized
from ebmlab.objectives.regularized import Regularized

__all__ = [
    "Contractive",
    "Contrastive",
    "Denoising",
    "DenoisingScore",
    "EnergyMatching",
    "EquilibriumMatching",
    "ExactScore",
    "MultiScaleScore",
    "NTXent",
    "Regularized",
    "SlicedScore",
    "VectorQuantized",
]
