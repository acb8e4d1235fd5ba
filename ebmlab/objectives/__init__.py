"""What shapes an energy: contrast, regularization, score matching."""

from ebmlab.objectives._densities.gradient_penalty import GradientPenalty
from ebmlab.objectives._densities.likelihood import Likelihood
from ebmlab.objectives._densities.nce import NCE
from ebmlab.objectives._densities.squared_energies import SquaredEnergies
from ebmlab.objectives.contractive import Contractive
from ebmlab.objectives.contrastive import Contrastive
from ebmlab.objectives.denoising import Denoising
from ebmlab.objectives.matrix_free import NTXent
from ebmlab.objectives.quantized import VectorQuantized
from ebmlab.objectives.regularized import Regularized
from ebmlab.objectives.score import DenoisingScore
from ebmlab.objectives.unconditional import Unconditional

__all__ = [
    "NCE",
    "Contractive",
    "Contrastive",
    "Denoising",
    "DenoisingScore",
    "GradientPenalty",
    "Likelihood",
    "NTXent",
    "Regularized",
    "SquaredEnergies",
    "Unconditional",
    "VectorQuantized",
]
