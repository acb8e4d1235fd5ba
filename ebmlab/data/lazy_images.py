"""Images that stay where they are until they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ebmlab._checks import require_index

__all__ = ["Indexed", "LazyImages"]


@dataclass(frozen=True, eq=False)
class LazyImages:
    """Images (n, c, h, w) of which only those in use are in memory, indexed as a tensor is.

    `images[rows]` is a float tensor in [0, 1], for rows that are a tensor, a slice or a number.

    Args:
        read: rows (k,) on the CPU -> pixels (k, c, h, w), uint8.
        rows: which of those that `read` knows, and in which order, (n,).
        event: shape of one image, (c, h, w).
        device: where they go once they are read.

    Example:
        >>> images = LazyImages(lambda rows: rows.byte()[:, None, None, None] * 51,
        ...                     torch.arange(6), (1, 1, 1))
        >>> images[torch.tensor([5, 0])].flatten(), images[1:3].shape, len(images.part(slice(4)))
        (tensor([1., 0.]), torch.Size([2, 1, 1, 1]), 4)
    """

    read: Callable[[Tensor], Tensor]
    rows: Tensor
    event: tuple[int, int, int]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> torch.Size:
        """Of all images, (n, c, h, w)."""
        return torch.Size((len(self), *self.event))

    def __getitem__(self, rows: Tensor | slice | int) -> Tensor:
        index = self._index(rows)
        pixels = self.read(index.flatten()).to(self.device)
        return (pixels.float() / 255).unflatten(0, index.shape) if index.ndim else pixels[0] / 255

    def part(self, rows: Tensor | slice) -> "LazyImages":
        """Those rows alone, still unread."""
        return replace(self, rows=self._index(rows))

    def to(self, device: torch.device | str) -> "LazyImages":
        """The same, with a device on which images appear once they are read."""
        return replace(self, device=torch.device(device))

    def _index(self, rows: Tensor | slice | int) -> Tensor:
        return self.rows[require_index("rows", rows).cpu() if isinstance(rows, Tensor) else rows]


# What `images[rows]` can be asked of.
Indexed = Tensor | LazyImages
