"""`NearestNeighbor`: x stands for the most similar of past codes."""

import torch
from torch import Tensor, nn

from ebmlab._checks import over_batch, require_tensor
from ebmlab.energies._codes.codes import Cosine, unit
from ebmlab.energies._codes.heads import Sided, by_view
from ebmlab.energy import Energy
from ebmlab.networks import Memory
from ebmlab.types import Tree

__all__ = ["NearestNeighbor"]


class NearestNeighbor(Sided):
    """E(hx, hy) = energy(NN(hx), p(hy)), NN(hx) the code in a memory with the largest cosine.

    No gradient passes to hx. Each commit pushes x's codes, of the first view where there are
    several, of all ranks.

    Args:
        predictor: p, (n, dim) -> (n, dim).
        memory: past codes.
        energy: of the neighbor and the prediction; cosine by default.

    Example:
        >>> energy = NearestNeighbor(nn.Linear(3, 3), Memory(16, 3))
        >>> energy(torch.randn(4, 3), torch.randn(4, 3)).shape
        torch.Size([4])

    Source: Dwibedi et al. 2021, arXiv:2104.14548.
    """

    def __init__(self, predictor: nn.Module, memory: Memory, energy: Energy | None = None) -> None:
        super().__init__()
        self.predictor, self.memory = predictor, memory
        self.energy = Cosine() if energy is None else energy

    def forward(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor:
        """The energy of the neighbor and the prediction."""
        predicted = over_batch(self.predictor, (require_tensor("y", y), 1))
        return self.energy(self._neighbor(require_tensor("x", x)), predicted)

    def sides(self, hx: Tensor, hy: Tensor) -> tuple[Tensor, Tensor]:
        """The neighbors and the predictions."""
        return self._neighbor(hx), by_view(self.predictor, hy)

    @torch.no_grad()
    def _neighbor(self, h: Tensor) -> Tensor:
        codes = self.memory.codes.to(h.dtype)
        return codes[(h @ unit(codes).mT).argmax(-1)]

    def update(self, x: Tree, y: Tree) -> None:
        """Push the codes of x, of its first view where there are several."""
        h = require_tensor("x", x)
        self.memory.push(h[0] if h.ndim > 2 else h)
