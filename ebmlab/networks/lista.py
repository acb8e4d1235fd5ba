"""A network that is a few steps of sparse coding, its matrices learned."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_non_negative
from ebmlab._precise import precise
from ebmlab._shown import Shown
from ebmlab.errors import ShapeError

__all__ = ["LISTA"]


class LISTA(Shown):
    """z' = shrink(S z + W y, |θ|), some times from z = 0: codes (n, k) of y (n, dim).

    shrink moves each entry towards 0 by |θ| and stops there. Untrained, with W = 2 Dᵀ / L,
    S = 1 - 2 DᵀD / L, θ = λ / L and L = 2 λ_max(DᵀD), it is ISTA with the step 1 / L on
    ‖D z - y‖² + λ ‖z‖₁; trained, it reaches in the same few steps what ISTA reaches in many more.

    Args:
        atoms: the columns of D, (k, dim).
        steps: how many, >= 1.
        weight: λ >= 0.
        shared: one W, S and θ for all steps; else each step has its own.

    Raises:
        ShapeError: atoms are not (k, dim), not finite, or all zero.
        ConfigurationError: steps < 1 or the weight is negative.

    Example:
        >>> LISTA(torch.eye(2), steps=1, weight=1.0)(torch.tensor([[2.0, 0.1]])).detach()
        tensor([[1.5000, 0.0000]])

    Source: Gregor, LeCun 2010, "Learning fast approximations of sparse coding".
    """

    shows = ("encode", "steps", "shared")

    def __init__(
        self, atoms: Tensor, steps: int = 3, weight: float = 1.0, *, shared: bool = False
    ) -> None:
        super().__init__()
        if atoms.ndim != 2 or not bool(atoms.isfinite().all() & (atoms != 0).any()):
            raise ShapeError(
                f"atoms have shape {tuple(atoms.shape)}; expected (k, dim), finite, not all zero"
            )
        require_counts(steps=steps)
        require_non_negative("weight", weight)
        self.steps, self.shared = steps, shared
        d = precise(atoms.detach())
        step = 0.5 / torch.linalg.matrix_norm(d, 2).square()
        mutual = torch.eye(len(d)).to(d) - 2 * step * d @ d.T
        own = 1 if shared else steps
        self.encode = nn.Parameter((2 * step * d).repeat(own, 1, 1))
        # The first step starts at 0, where S says nothing.
        self.mutual = nn.Parameter(mutual.repeat(1 if shared else steps - 1, 1, 1))
        self.threshold = nn.Parameter((step * weight * torch.ones_like(d[:, 0])).repeat(own, 1))
        self.to(atoms.dtype)

    def forward(self, y: Tensor) -> Tensor:
        """Codes (n, k) of y (n, dim)."""
        z = self._shrink(y @ self.encode[0].T, 0)
        for step in range(1, self.steps):
            own = 0 if self.shared else step
            mutual = self.mutual[0 if self.shared else step - 1]
            z = self._shrink(z @ mutual.T + y @ self.encode[own].T, own)
        return z

    def _shrink(self, z: Tensor, own: int) -> Tensor:
        threshold = self.threshold[own].abs()
        return (z - threshold).relu() - (-z - threshold).relu()
