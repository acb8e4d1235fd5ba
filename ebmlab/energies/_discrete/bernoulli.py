"""Independent binary units."""

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._limits import weighed
from ebmlab.energies._densities.density import Density
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = ["Bernoulli"]


class Bernoulli(Density):
    """E(y) = -aᵀy of y in {0, 1}; log Z = Σ log(1 + exp(a_i)) is a sum over states.

    Args:
        logits: a (d), the log odds of 1 of each unit, below +∞; -∞ for one that is never 1.

    Example:
        >>> fair = Bernoulli(torch.zeros(3))
        >>> fair.log_prob(torch.ones(1, 3)).exp(), fair.sample(2, torch.Generator()).shape
        (tensor([0.1250]), torch.Size([2, 3]))
    """

    multilinear = True
    logits: Tensor

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        if logits.ndim != 1:
            raise ShapeError(f"logits has shape {tuple(logits.shape)}; it must be (d,)")
        if not bool((logits < torch.inf).all()):
            raise ConfigurationError("logits must be below +∞, where E has no lowest value")
        self.dim = len(logits)
        self.register_buffer("logits", logits.clone())

    def potential(self, y: Tensor) -> Tensor:
        return -weighed(y, self.logits).sum(-1)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.potential(y), (-self.logits).expand_as(y)

    @property
    def log_z(self) -> Tensor:
        return functional.softplus(self.logits, threshold=40).sum()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        share = torch.rand(n, self.dim, generator=rng, device=rng.device, dtype=self.logits.dtype)
        return (share < self.logits.sigmoid()).to(share)
