"""Negative log-likelihoods of y given a prediction, in nats: what makes a bound one on -log p(y).

As `distance` of a `Reconstruction` they make a free energy at temperature 1 the bound on the
negative log-likelihood. `Bernoulli` and `Gaussian`, on the other hand, are densities of y alone.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_positive, require_tensor
from ebmlab._events import require_alike
from ebmlab._limits import weighed
from ebmlab.energy import Energy
from ebmlab.types import Decode, Tree

__all__ = ["BinaryCrossEntropy", "GaussianNLL"]


class BinaryCrossEntropy(Energy):
    """E(x, y) = Σ_i log(1 + exp(x_i)) - x_i y_i = -log p(y | x) of independent bits y.

    x are logits: p(y_i = 1) = sigmoid(x_i). Sums of exp(-E) over all y in {0, 1} are 1. Values of
    y in between are taken as expectations of bits: E is then the cross-entropy, not a likelihood.

    Args:
        ndim: event dimensions of x and y: 1 for vectors, 3 for images.

    Example:
        >>> BinaryCrossEntropy()(torch.zeros(2, 4), torch.ones(2, 4))
        tensor([2.7726, 2.7726])

    Source: Kingma, Welling 2014, arXiv:1312.6114, appendix C.
    """

    shows = ("ndim",)

    def __init__(self, ndim: int = 1) -> None:
        super().__init__()
        self.x_ndim = self.y_ndim = self.ndim = ndim

    def decoding(self) -> Decode:
        """The probabilities of 1."""
        return lambda x, z: require_tensor("x", x).sigmoid()

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Negative log-likelihoods in nats (*batch)."""
        x, y = require_alike(x, y, self.ndim)
        # Beyond the threshold softplus is linear, to the last digit of float64.
        one, zero = (functional.softplus(a, threshold=40) for a in (-x, x))
        return _summed(weighed(y, one) + weighed(1 - y, zero), self.ndim)


class GaussianNLL(Energy):
    """E(x, y) = ‖y - x‖² / 2σ² + (d/2) log 2πσ² = -log N(y; x, σ²), d numbers in an event.

    Args:
        std: σ > 0, in the units of y; where it starts, if learned.
        learned: whether log σ is a parameter.
        ndim: event dimensions of x and y: 1 for vectors, 3 for images.

    Example:
        >>> GaussianNLL(0.5)(torch.zeros(1, 2), torch.zeros(1, 2))
        tensor([0.4516])

    Source: Bishop 2006, section 3.1.1.
    """

    shows = ("std", "ndim")
    log_std: float | nn.Parameter

    def __init__(self, std: float = 1.0, *, learned: bool = False, ndim: int = 1) -> None:
        super().__init__()
        require_positive("std", std)
        self.x_ndim = self.y_ndim = self.ndim = ndim
        # A number, where fixed, is exact in any precision.
        self.log_std = nn.Parameter(torch.tensor(math.log(std))) if learned else math.log(std)

    @property
    def std(self) -> Tensor:
        """σ, 0-d."""
        return torch.as_tensor(self.log_std).exp()

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Negative log-likelihoods in nats (*batch)."""
        x, y = require_alike(x, y, self.ndim)
        log_std = y.new_zeros(()) + self.log_std
        halves = 0.5 * (y - x).square() * (-2 * log_std).exp()
        return _summed(halves + log_std + 0.5 * math.log(2 * math.pi), self.ndim)


def _summed(each: Tensor, ndim: int) -> Tensor:
    return each.flatten(-ndim).sum(-1) if ndim else each
