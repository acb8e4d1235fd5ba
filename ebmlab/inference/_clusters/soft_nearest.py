"""Sharpened shares of clusters, or of the classes of a labeled support."""

from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab.inference._clusters.assigning import Assigning, Logits

__all__ = ["SoftNearest"]


class SoftNearest(Assigning):
    """z ∝ exp(s(hy) / t): with log-probabilities as logits, p sharpened to p^{1/t}.

    With the log-probabilities of `energies.Supported`, which come from the soft nearest neighbors
    in a labeled support, this is PAWS's target. No gradient passes.

    Args:
        sharpen: t > 0; below 1 it sharpens.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Assignment
        >>> p = torch.tensor([[0.5, 0.25, 0.25]])
        >>> SoftNearest(0.5)(Assignment(), None, p.log()).atoms
        tensor([[[0.6667, 0.1667, 0.1667]]])

    Source: Assran et al. 2021, arXiv:2104.13963.
    """

    shows = ("sharpen",)

    def __init__(self, sharpen: float = 0.25) -> None:
        super().__init__()
        require_positive("sharpen", sharpen)
        self.sharpen = sharpen

    def assign(self, logits: Logits, h: Tensor) -> tuple[Tensor, None]:
        return (precise(logits(h)) / self.sharpen).softmax(-1), None
