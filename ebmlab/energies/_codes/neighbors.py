"""`NearestNeighbor`: x stands for the most similar of past codes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_tensor
from ebmlab.energies._codes.codes import unit
from ebmlab.energies._codes.heads import Sided
from ebmlab.energy import Energy
from ebmlab.networks import Memory
from ebmlab.types import Posterior, Tree

__all__ = ["NearestNeighbor"]


class NearestNeighbor(Sided):
    """E(hx, hy) = energy(NN(hx), p(hy)), NN(hx) the code in a memory with the largest cosine.

    No gradient passes to hx. Each commit pushes x's codes, of one view where there are several, of
    all ranks.

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
        super().__init__(energy)
        self.predictor, self.memory = predictor, memory

    @torch.no_grad()
    def of_x(self, h: Tensor) -> Tensor:
        codes = self.memory.codes.to(h.dtype)
        return codes[(h @ unit(codes).mT).argmax(-1)]

    def of_y(self, h: Tensor) -> Tensor:
        return over_batch(self.predictor, (h, 1), names="y")

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        h = require_tensor("x", x)
        self.memory.push(h.reshape(-1, *h.shape[-2:])[0])
