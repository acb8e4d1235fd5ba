"""What shapes an energy: contrast, regularization, score matching, neighbors of discrete y."""

from ebmlab.objectives._adversarial.adversarial import Adversarial
from ebmlab.objectives._adversarial.cooperative import Cooperative
from ebmlab.objectives._adversarial.entropic import Entropic
from ebmlab.objectives._adversarial.fooling import Fooling
from ebmlab.objectives._adversarial.game import Game, Play
from ebmlab.objectives._adversarial.repelled import Repelled
from ebmlab.objectives._densities.discrepancy import EnergyDiscrepancy
from ebmlab.objectives._densities.gradient_penalty import GradientPenalty
from ebmlab.objectives._densities.improved_cd import ImprovedCD
from ebmlab.objectives._densities.label_likelihood import LabelLikelihood
from ebmlab.objectives._densities.likelihood import Likelihood
from ebmlab.objectives._densities.nce import NCE
from ebmlab.objectives._densities.recovery import RecoveryLikelihood
from ebmlab.objectives._densities.squared_energies import SquaredEnergies
from ebmlab.objectives._flips.concrete_score import ConcreteScore
from ebmlab.objectives._flips.probability_flow import MinimumProbabilityFlow
from ebmlab.objectives._flips.pseudo_likelihood import PseudoLikelihood
from ebmlab.objectives._flips.ratio_matching import RatioMatching
from ebmlab.objectives._scores.denoising import DenoisingScore
from ebmlab.objectives._scores.energy_matching import EnergyMatching
from ebmlab.objectives._scores.equilibrium import EquilibriumMatching
from ebmlab.objectives._scores.exact import ExactScore
from ebmlab.objectives._scores.multi_scale import MultiScaleScore
from ebmlab.objectives._scores.sliced import SlicedScore
from ebmlab.objectives.answers import Answers
from ebmlab.objectives.contractive import Contractive
from ebmlab.objectives.contrastive import Contrastive
from ebmlab.objectives.denoising import Denoising
from ebmlab.objectives.encoded import Encoded
from ebmlab.objectives.lasso import Lasso
from ebmlab.objectives.matrix_free import NTXent
from ebmlab.objectives.quantized import VectorQuantized
from ebmlab.objectives.regularized import Regularized
from ebmlab.objectives.unconditional import Unconditional
from ebmlab.objectives.unrolled import Unrolled

__all__ = [
    "NCE",
    "Adversarial",
    "Answers",
    "ConcreteScore",
    "Contractive",
    "Contrastive",
    "Cooperative",
    "Denoising",
    "DenoisingScore",
    "Encoded",
    "EnergyDiscrepancy",
    "EnergyMatching",
    "Entropic",
    "EquilibriumMatching",
    "ExactScore",
    "Fooling",
    "Game",
    "GradientPenalty",
    "ImprovedCD",
    "LabelLikelihood",
    "Lasso",
    "Likelihood",
    "MinimumProbabilityFlow",
    "MultiScaleScore",
    "NTXent",
    "Play",
    "PseudoLikelihood",
    "RatioMatching",
    "RecoveryLikelihood",
    "Regularized",
    "Repelled",
    "SlicedScore",
    "SquaredEnergies",
    "Unconditional",
    "Unrolled",
    "VectorQuantized",
]
