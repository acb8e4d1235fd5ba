"""A linear decoder whose columns have length one."""

import torch
from torch import Tensor, nn

from ebmlab._precise import precise
from ebmlab.errors import ShapeError
from ebmlab.protocols import Stepped

__all__ = ["Dictionary"]


class Dictionary(nn.Linear, Stepped):
    """z -> Σ_j z_j d_j with ‖d_j‖ = 1: the columns are put back to length one at each commit.

    Without that, atoms would grow and codes shrink until a penalty on codes weighs nothing.

    Args:
        atoms: the first d_j, (k, dim), such as k different data; none may be zero.

    Raises:
        ShapeError: atoms are not (k, dim), or one of them is zero or not finite.

    Example:
        >>> decoder = Dictionary(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
        >>> decoder(torch.tensor([[1.0, 1.0]])).detach()
        tensor([[0.6000, 1.8000]])

    Source: Olshausen, Field 1996; Engan, Aase, Husøy 1999.
    """

    def __init__(self, atoms: Tensor) -> None:
        if atoms.ndim != 2 or not bool((_length(atoms.T) > 0).all() & atoms.isfinite().all()):
            raise ShapeError(
                f"atoms have shape {tuple(atoms.shape)}; expected (k, dim), each finite, none zero"
            )
        # The shell draws no weights of its own.
        super().__init__(*atoms.shape, bias=False, device="meta")
        columns = (atoms.T / _length(atoms.T)).detach().contiguous()
        self.weight = nn.Parameter(columns.to(atoms.dtype))

    @torch.no_grad()
    def step(self) -> None:
        """Put every column back to length one; a column that has become zero stays."""
        length = _length(self.weight)
        self.weight /= torch.where(length > 0, length, 1.0)


def _length(columns: Tensor) -> Tensor:
    return torch.linalg.vector_norm(precise(columns), dim=0)
