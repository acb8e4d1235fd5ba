"""Mirror images, and quarter turns whose number is a label."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._randomness import replayed
from ebmlab.data.views.view import Augmentation, Sometimes, choose
from ebmlab.errors import ShapeError

__all__ = ["Flip", "QuarterTurn"]


@dataclass(frozen=True)
class Flip(Sometimes):
    """Exchange left and right, with a probability.

    Example:
        >>> Flip(1.0)(torch.tensor([[[[0.0, 1.0]]]]), torch.Generator())
        tensor([[[[1., 0.]]]])
    """

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """Mirror image or image."""
        return choose(draws[0], images.flip(-1), images)


@dataclass(frozen=True)
class QuarterTurn(Augmentation):
    """Turn square images counterclockwise by 0, 90, 180 or 270 degrees, equally likely.

    Raises:
        ShapeError: images are not square.

    Example:
        >>> images, turns = QuarterTurn().labelled(torch.rand(8, 1, 4, 4), torch.Generator())
        >>> images.shape, turns.shape
        (torch.Size([8, 1, 4, 4]), torch.Size([8]))

    Source: Gidaris, Singh, Komodakis 2018, arXiv:1803.07728.
    """

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Quarter turns (n,), 0 to 3."""
        return (torch.randint(0, 4, (len(images),), generator=rng, device=rng.device),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The turned images."""
        if images.shape[-1] != images.shape[-2]:
            raise ShapeError(
                f"images have shape {tuple(images.shape)}; quarter turns need square ones, as a "
                "Crop makes"
            )
        each = torch.stack([images.rot90(turns, (-2, -1)) for turns in range(4)])
        return each[draws[0], torch.arange(len(images), device=images.device)]

    def labelled(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The turned images and their numbers of quarter turns (n,): the same draws as a call."""
        again = replayed(rng, type(self).__name__)
        return self(images, rng), self.draw(images, again())[0]
