"""Noisy curves with one hidden angle: the ellipse, and the horn that is an ellipse for each x."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative, require_positive
from ebmlab.data._random import normal, require_draw, uniform
from ebmlab.errors import ShapeError
from ebmlab.types import Rng

__all__ = ["Ellipse", "Horn", "ellipse", "horn"]


def _around(radii: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """Points (n, 2) at uniform angles of ellipses with these radii (n, 2), blurred."""
    angle = uniform(len(radii), rng, 0.0, 2 * math.pi)
    curve = radii * torch.stack([angle.cos(), angle.sin()], dim=-1)
    return curve + noise * normal(len(radii), rng)


@dataclass(frozen=True)
class Ellipse:
    """y = (ρ1 cos θ, ρ2 sin θ) + noise · N(0, I) with θ ~ U(0, 2π), which stays hidden.

    Args:
        radii: ρ, both > 0.
        noise: the standard deviation of each coordinate's blur, >= 0.

    Raises:
        ConfigurationError: a radius is not positive, noise is negative, n < 1, or rng is missing.

    Example:
        >>> ellipse(rng=torch.Generator().manual_seed(0)).shape
        torch.Size([24, 2])

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """

    radii: tuple[float, float] = (2.0, 1.5)
    noise: float = 0.05

    def __post_init__(self) -> None:
        for radius in self.radii:
            require_positive("radii", radius)
        require_non_negative("noise", self.noise)

    def __call__(self, n: int = 24, rng: Rng = None) -> Tensor:
        """Draw n independent points (n, 2), in float32 on rng's device."""
        rng = require_draw(n, rng, type(self).__name__)
        radii = torch.tensor(self.radii, device=rng.device)
        return _around(radii.expand(n, 2), self.noise, rng)


@dataclass(frozen=True)
class Horn:
    """An ellipse for each x ~ U(0, 1), y = (ρ1(x) cos θ, ρ2(x) sin θ) + noise · N(0, I).

    ρ(x) = e^{2x} (α x + β (1 - x), β x + α (1 - x)): wide and flat at x = 0, high at x = 1.

    Args:
        alpha, beta: the two radii at x = 0, beta the first; both > 0.
        noise: the standard deviation of each coordinate's blur, >= 0.

    Raises:
        ConfigurationError: as in `Ellipse`.
        ShapeError: x is not (*batch, 1).

    Example:
        >>> horn.radii(torch.tensor([[0.0], [0.5]]))
        tensor([[2.0000, 1.5000],
                [4.7570, 4.7570]])
        >>> x, y = horn(100, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape
        (torch.Size([100, 1]), torch.Size([100, 2]))

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """

    alpha: float = 1.5
    beta: float = 2.0
    noise: float = 0.05

    def __post_init__(self) -> None:
        require_positive("alpha", self.alpha)
        require_positive("beta", self.beta)
        require_non_negative("noise", self.noise)

    def __call__(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, x (n, 1) and y (n, 2), in float32 on rng's device."""
        rng = require_draw(n, rng, type(self).__name__)
        x = uniform(n, rng)[:, None]
        return x, _around(self.radii(x), self.noise, rng)

    def radii(self, x: Tensor) -> Tensor:
        """ρ(x), (*batch, 2), for x (*batch, 1)."""
        if x.shape[-1:] != (1,):
            raise ShapeError(f"x has shape {tuple(x.shape)}; scalars are (*batch, 1)")
        first, second = self.alpha * x, self.beta * x
        mixed = torch.cat([first + self.beta * (1 - x), second + self.alpha * (1 - x)], dim=-1)
        return mixed * (2 * x).exp()


ellipse = Ellipse()
horn = Horn()
