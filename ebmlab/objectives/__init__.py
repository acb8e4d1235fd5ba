"""What shapes an energy: contrast, regularization, score matching."""

from ebmlab.objectives.contrastive import Contrastive
from ebmlab.objectives.regularized import Regularized
from ebmlab.objectives.score import DenoisingScore

__all__ = ["Contrastive", "DenoisingScore", "Regularized"]
