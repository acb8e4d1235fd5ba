"""Logits of codes against learned directions of length one."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab.protocols import Stepped

__all__ = ["Directions", "Prototypes"]


class _Cosines(Stepped):
    """h -> W h / ‖h‖, W held still at first by a clock of commits."""

    shows = ("weight", "frozen_steps")
    clock: Tensor

    def __init__(self, dim: int, k: int, frozen_steps: int = 0) -> None:
        require_counts(dim=dim, k=k)
        require_counts(0, frozen_steps=frozen_steps)
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(torch.empty(k, dim)))
        self.frozen_steps = frozen_steps
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))
        self._normalize()

    def _unit(self, h: Tensor) -> Tensor:
        # Codes from under autocast also arrive outside it, in commits.
        return unit_rows(h.to(self.weight.dtype))

    def _held(self) -> Tensor:
        """The weight, without a gradient while it is frozen."""
        if not self.frozen_steps:
            return self.weight
        return torch.where(self.clock < self.frozen_steps, self.weight.detach(), self.weight)

    @torch.no_grad()
    def _normalize(self) -> None:
        self.weight.copy_(unit_rows(self.weight))


def unit_rows(h: Tensor) -> Tensor:
    """h / ‖h‖ along the last dimension, where a zero vector stays zero."""
    length = torch.linalg.vector_norm(h, dim=-1, keepdim=True)
    return h / torch.where(length > 0, length, 1.0)


class Prototypes(_Cosines):
    """Cosines of codes with k prototypes, which each commit puts back to length one.

    s_k = c_k · h / ‖h‖, ‖c_k‖ = 1.

    Args:
        dim: length of the codes.
        k: how many prototypes.
        frozen_steps: commits during which no gradient moves the prototypes.

    Example:
        >>> Prototypes(4, 10)(torch.ones(2, 4)).shape
        torch.Size([2, 10])

    Source: Caron et al. 2020, arXiv:2006.09882.
    """

    def forward(self, h: Tensor) -> Tensor:
        """The cosines (…, k) of codes (…, dim)."""
        return nn.functional.linear(self._unit(h), self._held())

    @torch.no_grad()
    def step(self) -> None:
        """Put the prototypes back to length one."""
        self._normalize()
        self.clock += 1


class Directions(_Cosines):
    """Cosines of codes with k directions of weights that have any length: a weight-normed layer.

    s_k = v_k · h / (‖v_k‖ ‖h‖).

    Args: as in `Prototypes`.

    Example:
        >>> layer = Directions(4, 10)
        >>> bool((layer(torch.ones(2, 4)).abs() <= 1).all())
        True

    Source: Salimans, Kingma 2016, arXiv:1602.07868; Caron et al. 2021, arXiv:2104.14294.
    """

    def forward(self, h: Tensor) -> Tensor:
        """The cosines (…, k) of codes (…, dim)."""
        return nn.functional.linear(self._unit(h), unit_rows(self._held()))

    @torch.no_grad()
    def step(self) -> None:
        """Move the clock."""
        self.clock += 1
