"""How often each token occurs, as a density."""

from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_labels, require_tensor
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab.energies._densities.density import Density
from ebmlab.errors import ConfigurationError
from ebmlab.types import Tree

__all__ = ["Frequencies"]


class Frequencies(Density, Precise):
    """E(y) = -log q(y) of a token y, q(y) ∝ counts_y ** power; log Z = 0.

    Args:
        counts: how often each token occurs, (K,); one that never does is never drawn.
        power: 1 draws tokens as they occur, ¾ rare ones more often, 0 all alike.

    Raises:
        ConfigurationError: counts are not (K,), negative, not finite, or all 0.

    Example:
        >>> noise = Frequencies(torch.tensor([1, 16]), power=0.5)
        >>> (-noise(None, torch.tensor([0, 1]))).exp()
        tensor([0.2000, 0.8000])

    Source: Mikolov, Sutskever, Chen, Corrado, Dean 2013, arXiv:1310.4546, for ¾.
    """

    y_ndim = 0
    floors: ClassVar = {"log_q": SINGLE}
    log_q: Tensor

    def __init__(self, counts: Tensor, power: float = 1.0) -> None:
        super().__init__()
        weights = counts.detach().double()
        sound = weights.ndim == 1 and bool((weights >= 0).all() & weights.sum().isfinite())
        if not sound or not bool(weights.any()):
            raise ConfigurationError(
                f"counts are {tuple(counts.shape)}; expected (K,), finite and >= 0, not all 0"
            )
        self.dim = len(counts)
        log_q = torch.where(weights > 0, power * weights.log(), -torch.inf).log_softmax(0)
        self.register_buffer("log_q", log_q.to(torch.get_default_dtype()))

    def _vectors(self, y: Tree) -> Tensor:
        return require_labels("y", require_tensor("y", y), self.dim)

    def potential(self, y: Tensor) -> Tensor:
        return -self.log_q[y.long()]

    @property
    def log_z(self) -> Tensor:
        return self.log_q.new_zeros(())

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        q = precise(self.log_q).exp()
        return torch.multinomial(q, n, replacement=True, generator=rng)
