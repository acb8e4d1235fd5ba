"""Sharpened clusters around a moving center."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive, require_shares
from ebmlab._events import require_vectors
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._ranks import averaged
from ebmlab.free_energy import Posterior
from ebmlab.inference._clusters.assigning import Assigning, Logits, target_codes
from ebmlab.types import Tree

__all__ = ["Centered"]


class Centered(Precise, Assigning):
    """z = softmax(s(hy - c) / τ), where the center c is a moving average of the codes.

    The center keeps one cluster from taking all data, and a low τ keeps z from being uniform.
    Each commit moves c' = m c + (1 - m) mean hy, over the batch of all ranks. No gradient passes.

    Args:
        dim: length of the codes, which are the logits themselves in DINO.
        temperature: τ > 0, or a function of the clock (0-d tensor: commits so far) that returns
            it.
        momentum: m in [0, 1].

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.energies import Assignment
        >>> head = FreeEnergy(Assignment(), Centered(3, momentum=0.5))
        >>> head.update(None, torch.tensor([[2.0, 4.0, 6.0]]))
        >>> head.infer.center
        tensor([1., 2., 3.])

    Source: Caron et al. 2021, arXiv:2104.14294.
    """

    shows = ("temperature", "momentum")
    floors: ClassVar = {"center": SINGLE}
    center: Tensor
    clock: Tensor

    def __init__(
        self,
        dim: int,
        temperature: float | Callable[[Tensor], float | Tensor] = 0.04,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        require_counts(dim=dim)
        if not callable(temperature):
            require_positive("temperature", temperature)
        require_shares(momentum=momentum)
        self.temperature, self.momentum = temperature, momentum
        self.register_buffer("center", torch.zeros(dim))
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    def assign(self, logits: Logits, h: Tensor) -> tuple[Tensor, None]:
        require_vectors("y", h, len(self.center), "Centered")
        sharp = self.temperature(self.clock) if callable(self.temperature) else self.temperature
        return (precise(logits((h - self.center).to(h.dtype))) / sharp).softmax(-1), None

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        mean, _ = averaged(target_codes(y).reshape(-1, len(self.center)))
        self.center.lerp_(mean.to(self.center.dtype), 1 - self.momentum)
        self.clock += 1
