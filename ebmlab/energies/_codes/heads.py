"""Heads of joint embeddings: energies of codes with a predictor between."""

from abc import abstractmethod
from collections.abc import Callable
from typing import final

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_tensor
from ebmlab.codes import Codes
from ebmlab.energies._codes.codes import Cosine
from ebmlab.energy import Energy
from ebmlab.types import Rng, Tree

__all__ = ["Predicted", "Sided"]


class Sided(Energy):
    """E(hx, hy) = energy(a(hx), b(hy)): each code is worked on by itself, then both are compared.

    A subclass writes a and b. Objectives that compare many pairs of views work on each view once.

    Args:
        energy: of what is made of both; cosine by default.
    """

    def __init__(self, energy: Energy | None) -> None:
        super().__init__()
        self.energy = Cosine() if energy is None else energy
        self.takes_z, self.z_ndim = self.energy.takes_z, self.energy.z_ndim

    @abstractmethod
    def of_x(self, h: Tensor) -> Tensor:
        """a(hx) of codes (*batch, dim)."""

    @abstractmethod
    def of_y(self, h: Tensor) -> Tensor:
        """b(hy) of codes (*batch, dim)."""

    @final
    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        return self._worked(Codes(self, (x,), (y,))).energies(z, rng=rng)[0]

    @final
    def apart(self, codes: Codes) -> Codes:
        """a and b done, once for each view, and what the energy below does by itself."""
        self.check(codes.x[0], codes.y[0])
        return self._worked(codes).apart()

    def _worked(self, codes: Codes) -> Codes:
        done: dict[tuple[Callable[[Tensor], Tensor], int], Tensor] = {}

        def once(side: Callable[[Tensor], Tensor], name: str, h: Tree) -> Tensor:
            if (side, id(h)) not in done:
                done[side, id(h)] = side(require_tensor(name, h))
            return done[side, id(h)]

        hx = tuple(once(self.of_x, "x", h) for h in codes.x)
        hy = tuple(once(self.of_y, "y", h) for h in codes.y)
        return Codes(self.energy, hx, hy, codes.pairs)


class Predicted(Sided):
    """E(hx, hy) = energy(p(hx), sg(hy)): predict one code from the other, which stands still.

    The gradient is stopped at hy, so these are dynamics and not the descent of one scalar, unless
    `stopped` is False. The predictor and the stop sit here, after the encoders, so that no encoder
    runs twice.

    Args:
        predictor: p, (n, dim) -> (n, dim).
        energy: of the prediction and the code; cosine by default.
        stopped: whether hy stands still.

    Example:
        >>> import torch
        >>> energy = Predicted(nn.Linear(3, 3))
        >>> energy(torch.randn(4, 3), torch.randn(4, 3)).shape
        torch.Size([4])

    Source: Grill et al. 2020, arXiv:2006.07733; Chen, He 2021, arXiv:2011.10566.
    """

    shows = ("stopped",)

    def __init__(
        self, predictor: nn.Module, energy: Energy | None = None, *, stopped: bool = True
    ) -> None:
        super().__init__(energy)
        self.predictor, self.stopped = predictor, stopped

    def of_x(self, h: Tensor) -> Tensor:
        return over_batch(self.predictor, (h, 1), names="x")

    def of_y(self, h: Tensor) -> Tensor:
        return h.detach() if self.stopped else h
