"""Coordinate descent over the parts of a discrete z: their codes, or probabilities of them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Parts"]


class Parts(NamedTuple):
    """The energy as a function of probabilities (k, *batch, parts, K), and updates of them."""

    values: int
    temperature: float
    cost: Callable[[Tensor], Tensor]

    def settle(
        self, q: Tensor, sweeps: int, tolerance: float | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sweep until nothing moves by more than the tolerance, √ε of the dtype for None.

        Returns:
            q, its largest move in its last sweep, and whether that is within the tolerance; the
            last two (k, *batch). What has settled stays, whatever the others do.
        """
        given = torch.finfo(q.dtype).eps ** 0.5 if tolerance is None else tolerance
        residual = torch.full_like(q[..., 0, 0], torch.inf)
        settled = torch.zeros_like(residual, dtype=torch.bool)
        for _ in range(sweeps):
            swept = self.sweep(q)
            move = (swept - q).abs().amax((-2, -1))
            q = torch.where(settled[..., None, None], q, swept)
            residual = torch.where(settled, residual, move)
            settled = settled | (residual <= given)
            if bool(settled.all()):
                break
        return q, residual, settled

    def sweep(self, q: Tensor) -> Tensor:
        """Every part in turn at its best, given the others."""
        for part in range(q.shape[-2]):
            q = q.clone()
            q[..., part, :] = self._best(self._conditional(q, part))
        return q

    def _conditional(self, q: Tensor, part: int) -> Tensor:
        """E_q[E | z_part = k] for every code: (k, *batch, K)."""
        eye = torch.eye(self.values, dtype=q.dtype, device=q.device)
        trial = q.expand(self.values, *q.shape).clone()
        trial[..., part, :] = eye.reshape(self.values, *[1] * (q.ndim - 2), self.values)
        return self.cost(trial).movedim(0, -1)

    def _best(self, energies: Tensor) -> Tensor:
        if self.temperature == 0:
            chosen = energies.argmin(-1)
            return nn.functional.one_hot(chosen, self.values).to(energies.dtype)
        return (-energies / self.temperature).softmax(-1)

    def information(self, q: Tensor) -> Tensor:
        """Σ_i KL(q_i || uniform), (k, *batch); 0 for points."""
        if self.temperature == 0:
            return torch.zeros_like(q[..., 0, 0])
        entropy = torch.special.entr(q).sum((-2, -1))
        return (q.shape[-2] * math.log(self.values) - entropy).clamp(min=0)
