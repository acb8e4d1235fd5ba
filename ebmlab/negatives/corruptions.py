"""Ways to corrupt y: (y, rng) -> y, of the same shape. Symmetric ones undo as often as they do."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_positive, require_shares
from ebmlab._kinds import require_floats
from ebmlab._rows import rows
from ebmlab.energies import Density
from ebmlab.errors import ShapeError
from ebmlab.samplers._steps.start import noise_like

__all__ = ["Between", "BitFlips", "CategoryFlips", "Corruption", "GaussianNoise"]

Corruption = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class GaussianNoise:
    """y + σξ, ξ ~ N(0, 1): symmetric.

    Args:
        sigma: σ > 0, in the units of y.

    Example:
        >>> GaussianNoise(0.5)(torch.zeros(3, 2), torch.Generator()).shape
        torch.Size([3, 2])
    """

    sigma: float

    def __post_init__(self) -> None:
        require_positive("sigma", self.sigma)

    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """The noised points."""
        y = require_floats("y", y)
        return y + self.sigma * noise_like(y, rng)


@dataclass(frozen=True)
class BitFlips:
    """y in {0, 1}, each site turned to 1 - y with a probability: symmetric.

    Args:
        rate: the probability, in [0, 1].

    Example:
        >>> BitFlips(1.0)(torch.tensor([[0.0, 1.0, 1.0]]), torch.Generator())
        tensor([[1., 0., 0.]])
    """

    rate: float

    def __post_init__(self) -> None:
        require_shares(rate=self.rate)

    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """The flipped bits."""
        return torch.where(_hit(y.shape, self.rate, y, rng), 1 - y, y)


@dataclass(frozen=True)
class CategoryFlips:
    """One-hot sites (…, K), each turned with a probability to another category: symmetric.

    Args:
        rate: the probability, in [0, 1]; all other categories are equally likely.

    Raises:
        ShapeError: there is one category only.

    Example:
        >>> CategoryFlips(1.0)(torch.eye(2)[None], torch.Generator())
        tensor([[[0., 1.],
                 [1., 0.]]])
    """

    rate: float

    def __post_init__(self) -> None:
        require_shares(rate=self.rate)

    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """The sites, one-hot."""
        k = y.shape[-1]
        if k < 2:
            raise ShapeError(f"y has shape {tuple(y.shape)}; expected one-hot (…, K), K >= 2")
        sites = y.shape[:-1]
        way = torch.randint(1, k, sites, generator=rng, device=y.device)
        moved = way * _hit(sites, self.rate, y, rng)
        source = (torch.arange(k, device=y.device) - moved[..., None]) % k
        return y.gather(-1, source)


@dataclass(frozen=True, eq=False)
class Between:
    """y + u (y' - y), y' a draw of a density and u ~ U(0, 1): a point on the way to noise.

    Args:
        density: of points like y.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> between = Between(Gaussian(torch.ones(2), torch.eye(2)))
        >>> between(torch.zeros(3, 2), torch.Generator()).shape
        torch.Size([3, 2])

    Source: Gulrajani et al. 2017, arXiv:1704.00028.
    """

    density: Density

    def __call__(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """Points on the way."""
        draws = self.density.sample(len(y), rng).to(y)
        if draws.shape != y.shape:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but the density draws {tuple(draws.shape)}"
            )
        share = torch.rand(len(y), generator=rng, dtype=y.dtype, device=y.device)
        return y + rows(share, y) * (draws - y)


def _hit(shape: torch.Size, rate: float, like: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=rng, device=like.device) < rate
