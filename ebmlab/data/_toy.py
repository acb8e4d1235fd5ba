"""What a distribution of points in the plane is, with or without its density."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebmlab.data._random import require_draw
from ebmlab.errors import ShapeError

__all__ = ["KnownToy", "Toy", "pick", "polar"]


class Toy(ABC):
    """A distribution of points in the plane: call it for draws.

    Example:
        >>> from ebmlab.data.toys import two_moons
        >>> two_moons(4, torch.Generator().manual_seed(0)).shape
        torch.Size([4, 2])
    """

    def __call__(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n independent points (n, 2); ConfigurationError if n < 1, or rng is missing."""
        require_draw(n, rng, type(self).__name__)
        return self._draw(n, rng)

    @abstractmethod
    def _draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n points (n, 2)."""


class KnownToy(Toy):
    """A toy whose normalized density is known.

    Example:
        >>> from ebmlab.data.toys import checkerboard
        >>> checkerboard.log_density(torch.tensor([[0.5, 0.5], [0.5, -0.5]]))
        tensor([-2.0794,    -inf])
    """

    def log_density(self, y: Tensor) -> Tensor:
        """The exact log p(y) in nats, (*batch), of points y (*batch, 2)."""
        if y.shape[-1:] != (2,):
            raise ShapeError(f"y has shape {tuple(y.shape)}; points of the plane are (*batch, 2)")
        return self._log_density(y)

    @abstractmethod
    def _log_density(self, y: Tensor) -> Tensor:
        """Log densities (*batch)."""


def polar(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def pick(count: int, n: int, rng: torch.Generator) -> Tensor:
    return torch.randint(0, count, (n,), generator=rng, device=rng.device)
