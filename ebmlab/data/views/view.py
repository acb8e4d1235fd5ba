"""`View`: a random transformation of a batch in which each sample has draws of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_generator, require_shares
from ebmlab._rows import rows
from ebmlab.data._random import uniform
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError

__all__ = ["Augmentation", "Compose", "Sometimes", "View", "choose", "require_range"]

_EVENT = {2: "dim", 4: "channels, height, width"}


class View(ABC):
    """A random transformation: call it with a batch and a generator on the batch's device.

    Half precision is computed in float32 and comes back in half; gradients pass. It trusts that
    images lie in [0, 1], so that nothing waits for the device.

    Raises:
        ShapeError: another number of dimensions, or an empty one.
        DtypeError: integers arrive.
        ConfigurationError: an argument is out of its range, or rng is missing.
        DeviceError: rng is on another device.

    Example:
        >>> from ebmlab.data.views import Compose, Crop, Flip
        >>> view = Compose((Crop(24), Flip()))
        >>> view(torch.rand(5, 3, 32, 40), torch.Generator().manual_seed(0)).shape
        torch.Size([5, 3, 24, 24])
    """

    @property
    def ndim(self) -> int:
        """Dimensions of the batch: 4 of images (n, c, h, w), 2 of points (n, dim)."""
        return 4

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Each sample transformed by its own draws; what arrives is not changed."""
        who = type(self).__name__
        if images.ndim != self.ndim or not images.numel():
            raise ShapeError(
                f"{who} received shape {tuple(images.shape)}; expected (n, {_EVENT[self.ndim]}), "
                "none of them 0"
            )
        if not images.is_floating_point():
            raise DtypeError(f"{who} received {images.dtype}; hand images in [0, 1] as .float()")
        rng = require_generator(rng, who, images.device)
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        return self.transform(wide, rng).to(images.dtype)

    @abstractmethod
    def transform(self, images: Tensor, rng: torch.Generator, /) -> Tensor:
        """The same for a checked batch in float32 or float64."""


class Augmentation(View):
    """A view cut in two: the random numbers, and what they do to each row.

    Example:
        >>> from ebmlab.data.views import Flip
        >>> images = torch.tensor([[[[0.0, 1.0]]], [[[0.0, 1.0]]]])
        >>> Flip().apply(images, (torch.tensor([True, False]),)).flatten(1)
        tensor([[1., 0.],
                [0., 1.]])
    """

    @abstractmethod
    def draw(self, images: Tensor, rng: torch.Generator, /) -> tuple[Tensor, ...]:
        """All random numbers, each tensor (n, …), in shapes that follow from that of images."""

    @abstractmethod
    def apply(self, images: Tensor, draws: Any, /) -> Tensor:
        """The images as these draws change them, row by row."""

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Draw, then apply."""
        return self.apply(images, self.draw(images, rng))


@dataclass(frozen=True)
class Sometimes(Augmentation):
    """An augmentation that changes a sample with a probability.

    Args:
        probability: for each sample, in [0, 1].
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        require_shares(probability=self.probability)

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Which samples are changed, (n,)."""
        return (uniform(len(images), rng) < self.probability,)


@dataclass(frozen=True)
class Compose(View):
    """Views one after another.

    Args:
        views: at least one, all of images or all of points.

    Example:
        >>> from ebmlab.data.views import Flip, Grey
        >>> Compose((Flip(), Grey(1.0))).views[0]
        Flip(probability=0.5)
    """

    views: tuple[View, ...]

    def __post_init__(self) -> None:
        if not self.views:
            raise ConfigurationError("Compose received no views; hand it at least one")
        if len({view.ndim for view in self.views}) > 1:
            raise ConfigurationError(
                f"Compose received views of images and of points: {self.views}; compose each apart"
            )

    @property
    def ndim(self) -> int:
        """That of each of its views."""
        return self.views[0].ndim

    def transform(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Each view applied to what the one before it made."""
        for view in self.views:
            images = view.transform(images, rng)
        return images


def choose(take: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Row by row, the new or the old of finite tensors that broadcast; take is (n,), boolean."""
    # Exact at weights 0 and 1, and on CPU several times faster than a mask.
    return torch.lerp(old, new, rows(take, old).to(old.dtype))


def require_range(name: str, value: tuple[float, float]) -> None:
    """Raise unless (low, high) are ordered and positive."""
    low, high = value
    if not 0 < low <= high < float("inf"):
        raise ConfigurationError(f"{name} is {value}; (low, high) with 0 < low <= high")
