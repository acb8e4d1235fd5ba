"""`Density`: an energy of y alone whose log Z is known and which can be sampled exactly."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._events import require_vectors
from ebmlab._slopes import require_floating, slope
from ebmlab.energy import Energy
from ebmlab.types import Rng, Tree

__all__ = ["Density", "rejection"]


class Density(Energy):
    """An energy of vectors y with exact answers: p(y) = exp(-E(y) - log Z).

    A subclass writes `potential`, `log_z` and `sample`; `dim` is the length of y.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> noise = Gaussian(torch.zeros(2), torch.eye(2))
        >>> noise.log_prob(torch.zeros(1, 2))
        tensor([-1.8379])
    """

    takes_x = False
    dim: int

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return self.potential(self._vectors(y))

    def value_and_grad(
        self, x: Tree, y: Tensor, z: Tree = None, *, rng: Rng = None
    ) -> tuple[Tensor, Tensor]:
        """E(y) and its gradient, both detached; the gradient by hand where `slope` is written."""
        require_floating(y)
        if not torch.compiler.is_compiling():
            self.check(None, y)
        with torch.no_grad():
            return self.slope(self._vectors(y))

    def _vectors(self, y: Tree) -> Tensor:
        return require_vectors("y", y, self.dim, type(self).__name__)

    @abstractmethod
    def potential(self, y: Tensor) -> Tensor:
        """E(y) of y (*batch, dim)."""

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E(y) and ∂E/∂y: autograd's, or written by hand."""
        energy, grad = slope(self.potential, y)
        return energy.detach(), grad

    @property
    @abstractmethod
    def log_z(self) -> Tensor:
        """log ∫ exp(-E(y)) dy, a 0-d tensor."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Exact draws (n, dim) from exp(-E) / Z, on rng's device."""

    def log_prob(self, y: Tensor) -> Tensor:
        """log p(y) = -E(y) - log Z, in nats."""
        return -self(None, y) - self.log_z


def rejection(
    n: int, propose: Callable[[int], tuple[Tensor, Tensor]], rng: torch.Generator
) -> Tensor:
    """Exact draws by rejection: `propose(m)` gives m points and their log acceptance (<= 0)."""
    kept: list[Tensor] = []
    count = 0
    while count < n:
        points, log_accept = propose(2 * (n - count) + 16)
        threshold = torch.rand(
            len(points), generator=rng, device=points.device, dtype=points.dtype
        ).log()
        kept.append(points[threshold < log_accept])
        count += len(kept[-1])
    return torch.cat(kept)[:n]
