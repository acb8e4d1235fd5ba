"""Images of one size with what is known of each."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_shares
from ebmlab.data.lazy_images import LazyImages
from ebmlab.errors import ConfigurationError, DataError

__all__ = ["Gallery", "required_labels"]


class Gallery(NamedTuple):
    """Images that are read when they are asked for, and their classes where they have any.

    Attributes:
        images: `images[rows]` is (k, c, h, w), in [0, 1].
        labels: numbers of classes, (n,); None where there are no classes.
        classes: their names.
        about: where they are, how they are read, and what was left out.
    """

    images: LazyImages
    labels: Tensor | None
    classes: tuple[str, ...]
    about: str

    def part(self, rows: Tensor | slice) -> "Gallery":
        """Those rows alone."""
        labels = None if self.labels is None else self.labels[rows]
        return self._replace(images=self.images.part(rows), labels=labels)

    def split(self, share: float, rng: torch.Generator) -> tuple["Gallery", "Gallery"]:
        """All but a share, and that share, at least 2 images of it, both in random order.

        Raises:
            DataError: one part would have fewer than 2 images.
        """
        require_shares(share=share)
        n = len(self.images)
        held = max(2, round(share * n))
        if n - held < 2:
            raise DataError(f"{n} images are too few to hold out {held}; at least 4 are needed")
        order = torch.randperm(n, generator=rng, device=rng.device).cpu()
        return self.part(order[held:]), self.part(order[:held])


def required_labels(labels: Tensor | None) -> Tensor:
    """The labels, for what cannot do without.

    Raises:
        ConfigurationError: there are none.
    """
    if labels is None:
        raise ConfigurationError(
            "labels are needed, and these images have none: put the images of each class into a "
            "subfolder of its own"
        )
    return labels
