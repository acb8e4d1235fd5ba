"""Sharpened shares of clusters, or of the classes of a labeled support."""

from typing import ClassVar

import torch
from torch import nn

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._clusters.assigning import one_atom, require_clusters, target_codes
from ebmlab.types import Tree

__all__ = ["SoftNearest"]


class SoftNearest(nn.Module, Inference):
    """z ∝ exp(s(hy) / t): with log-probabilities as logits, p sharpened to p^{1/t}.

    With the log-probabilities of `energies.Supported`, which come from the soft nearest neighbors
    in a labeled support, this is PAWS's target. No gradient passes.

    Args:
        sharpen: t in (0, 1] sharpens.

    Raises:
        ConfigurationError: t is not positive; T is not 0; the energy has no logits.

    Example:
        >>> from ebmlab.energies import Assignment
        >>> p = torch.tensor([[0.5, 0.25, 0.25]])
        >>> SoftNearest(0.5)(Assignment(), None, p.log()).atoms
        tensor([[[0.6667, 0.1667, 0.1667]]])

    Source: Assran et al. 2021, arXiv:2104.13963.
    """

    bound: ClassVar[Bound] = "upper"

    def __init__(self, sharpen: float = 0.25) -> None:
        super().__init__()
        require_positive("sharpen", sharpen)
        self.sharpen = sharpen

    @torch.no_grad()
    def __call__(
        self,
        energy: Energy,
        x: Tree,
        y: Tree,
        temperature: float = 0.0,
        *,
        rng: torch.Generator | None = None,
    ) -> Posterior:
        """The sharpened shares."""
        self.require_point(temperature)
        clusters, h = require_clusters(energy, "SoftNearest"), target_codes(y)
        logits = clusters.logits(h)
        return one_atom((precise(logits) / self.sharpen).softmax(-1), h)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"sharpen={self.sharpen}"
