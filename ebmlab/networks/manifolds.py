"""Decoders of one angle: the ellipse of fixed radii, and the horn whose radii depend on x."""

import torch
from torch import Tensor, nn

__all__ = ["Ellipse", "Horn"]


def _circle(z: Tensor) -> Tensor:
    return torch.cat([z.cos(), z.sin()], dim=-1)


class Ellipse(nn.Module):
    """g(z) = (w1 cos z, w2 sin z): (n, 1) -> (n, 2), with learned w.

    The signs of w are without meaning, as z takes all angles: compare |w|. A free energy at T > 0
    has no slope in a w_i that is 0, so that it stays there: start elsewhere.

    Args:
        w: the first radii.

    Example:
        >>> Ellipse((2.0, 1.5))(torch.zeros(1, 1)).detach()
        tensor([[2., 0.]])

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """

    def __init__(self, w: tuple[float, float] = (1.0, 1.0)) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, z: Tensor) -> Tensor:
        """(w1 cos z, w2 sin z)."""
        return self.w * _circle(z)


class Horn(nn.Module):
    """g(x, z) = (f1(x) cos z, f2(x) sin z): an ellipse for each x.

    Args:
        radii: f, any network (n, dim) -> (n, 2).

    Example:
        >>> g = Horn(nn.Linear(1, 2))
        >>> g(torch.zeros(4, 1), torch.zeros(4, 1)).shape
        torch.Size([4, 2])

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """

    def __init__(self, radii: nn.Module) -> None:
        super().__init__()
        self.radii = radii

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """(f1(x) cos z, f2(x) sin z)."""
        return self.radii(x) * _circle(z)
