"""What shapes an energy: contrast, regularization, score matching."""

from ebmlab.objectives._densities.improved_cd import ImprovedCD
from ebmlab.objectives._densities.recovery import RecoveryLikelihood
from ebmlab.objectives.contractive import Contractive
from ebmlab.objectives.contrastive import Contrastive
from ebmlab.objectives.denoising import Denoising
from ebmlab.objectives.matrix_free import NTXent
from ebmlab.objectives.quantized import VectorQuantized
from ebmlab.objectives.regularized import Regularized
from ebmlab.objectives.score import DenoisingScore

__all__ = [
    "Contractive",
    "Contrastive",
    "Denoising",
    "DenoisingScore",
    "ImprovedCD",
    "NTXent",
    "RecoveryLikelihood",
    "Regularized",
    "VectorQuantized",
]
