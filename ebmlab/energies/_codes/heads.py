"""Heads of joint embeddings: energies of codes with a predictor between."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import over_batch, require_tensor
from ebmlab.energies._codes.codes import Cosine
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Predicted", "Sided", "by_view"]


class Sided(Energy):
    """E(hx, hy) = energy(a(hx), b(hy)): each code is worked on by itself, then both are compared.

    Objectives that compare many pairs of views work on each view once.
    """

    energy: Energy

    @abstractmethod
    def sides(self, hx: Tensor, hy: Tensor) -> tuple[Tensor, Tensor]:
        """a(hx), b(hy) of codes (batch, dim), or of views (views, batch, dim) each on its own."""


def by_view(function: Callable[[Tensor], Tensor], h: Tensor) -> Tensor:
    """A function of a batch (batch, dim), of every one of (…, batch, dim)."""
    return function(h) if h.ndim == 2 else torch.stack([by_view(function, view) for view in h])


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

    def __init__(
        self, predictor: nn.Module, energy: Energy | None = None, *, stopped: bool = True
    ) -> None:
        super().__init__()
        self.predictor = predictor
        self.energy = Cosine() if energy is None else energy
        self.stopped = stopped

    def forward(self, x: Tree, y: Tree, z: Tensor | None = None) -> Tensor:
        """The energy of the prediction and the code."""
        predicted = over_batch(self.predictor, (require_tensor("x", x), 1))
        return self.energy(predicted, self._target(require_tensor("y", y)))

    def sides(self, hx: Tensor, hy: Tensor) -> tuple[Tensor, Tensor]:
        """The predictions, and the codes that may stand still."""
        return by_view(self.predictor, hx), self._target(hy)

    def _target(self, code: Tensor) -> Tensor:
        return code.detach() if self.stopped else code

    def extra_repr(self) -> str:
        """What `print` shows, beside submodules."""
        return f"stopped={self.stopped}"
