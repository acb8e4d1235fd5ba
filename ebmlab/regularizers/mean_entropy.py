"""The entropy of the mean assignment: all outputs are used."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import everyone, require_sides

__all__ = ["MeanEntropy"]


@dataclass(frozen=True)
class MeanEntropy(Regularizer):
    """-H(p̄) of the mean p̄ of softmax(logits / τ) over both populations: all outputs are used.

    In nats, from -log k where all k outputs have an equal share to 0 where one has all. To
    sharpen probabilities p is to take their log as logits: softmax(log p / τ) ∝ p^(1/τ), with τ =
    0.25 in PAWS. With several ranks the population is that of all of them.

    Args:
        temperature: τ > 0, in the units of the logits.

    Example:
        >>> even, same = 100 * torch.eye(4), torch.tensor([[100.0, 0.0, 0.0, 0.0]]).expand(4, 4)
        >>> MeanEntropy()(even, even), MeanEntropy()(same, same) > -1e-9
        (tensor(-1.3863), tensor(True))

    Source: Assran et al. 2021, arXiv:2104.13963; Bridle, Heading, MacKay 1991.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        require_positive("temperature", self.temperature)

    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The value for two populations of logits (b, k), a scalar."""
        require_sides(hx, hy)
        with torch.autocast(hx.device.type, enabled=False):
            logits = [everyone(precise(h)) for h in ((hx,) if hx is hy else (hx, hy))]
            log_p = (torch.cat(logits) / self.temperature).log_softmax(-1)
            # The lowest finite number, whose exp is 0, stands for -∞: 0 · (-∞) would be NaN.
            log_p = log_p.clamp(min=torch.finfo(log_p.dtype).min)
            log_mean = log_p.logsumexp(0) - math.log(len(log_p))
            return (log_mean.exp() * log_mean).sum()
