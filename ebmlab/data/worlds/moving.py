"""Pictures that a hidden action shifts over a canvas."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_floats
from ebmlab.data._random import uniform
from ebmlab.data.worlds.walks import Walk, coordinates
from ebmlab.errors import ShapeError

__all__ = ["MovingDigits"]


class MovingDigits(Walk):
    """An image somewhere on a black canvas, shifted by a hidden action.

    A state is (number of the image, row, column), the place of the image's first pixel. What
    leaves the canvas on one side comes back on the other, so that every action can be told from
    what is seen; with walls the image stops where the canvas ends, and an action against a wall
    looks like none. At first images and places are uniform, at whole pixels unless continuous.
    Shifts by whole pixels are exact; between them pixels are interpolated linearly.

    Args:
        images: (n, c, h, w), such as digits.
        size: pixels of the canvas in either direction.
        stride: pixels of a move, a whole number unless continuous.
        continuous: five moves (left, right, up, down, stay), or any short way (n, 2), see `Walk`.
        walls: whether the canvas ends at its edges.

    Raises:
        ShapeError: images are not (n >= 1, c, h, w), or do not fit on the canvas.
        ConfigurationError: stride is not positive, or not whole though moves are.

    Example:
        >>> from ebmlab import data
        >>> world = MovingDigits(data.digits()[0], size=12)
        >>> x, y, action, _ = world.moves(3, torch.Generator().manual_seed(0))
        >>> x.shape, action
        (torch.Size([3, 1, 12, 12]), tensor([3, 1, 1]))
        >>> torch.equal(y[1], x[1].roll(2, dims=2))
        True

    Source: Srivastava, Mansimov, Salakhutdinov 2015, arXiv:1502.04681 (moving MNIST).
    """

    def __init__(
        self,
        images: Tensor,
        size: int = 14,
        stride: float = 2,
        *,
        continuous: bool = False,
        walls: bool = False,
    ) -> None:
        super().__init__(stride, continuous=continuous)
        if not continuous:
            require_counts(stride=stride)  # pyright: ignore[reportArgumentType]
        require_floats("images", images)
        if images.ndim != 4 or len(images) == 0 or max(images.shape[2:]) > size:
            raise ShapeError(
                f"images have shape {tuple(images.shape)}; they must fit: (n >= 1, c, h, w), "
                f"h and w at most {size}, the size of the canvas"
            )
        self.images, self.size, self.walls = images, size, walls
        room = [size - side for side in images.shape[2:]] if walls else [size - 1] * 2
        self.room = torch.tensor(room)

    def start(self, n: int, rng: torch.Generator) -> Tensor:
        """An image and a place, both uniform: (n, 3)."""
        which = torch.randint(len(self.images), (n,), generator=rng, device=rng.device)
        share = uniform(2 * n, rng).unflatten(0, (n, 2))
        room = self.room.to(rng.device)
        place = share * room if self.continuous else (share * (room + 1)).floor()
        return torch.cat([which[:, None].to(place), place], dim=1)

    def reached(self, place: Tensor, way: Tensor) -> Tensor:
        """The place after a shift: round the canvas, or no further than its walls."""
        if not self.walls:
            return (place + way).remainder(self.size)
        return (place + way).clamp(min=0).minimum(self.room.to(place))

    def render(self, state: Tensor) -> Tensor:
        """The images where they are: (n, c, size, size)."""
        which, row, column = state.unbind(1)
        images = self.images[which.long()].to(state.dtype)
        down, right = (
            self._placed(first, side)
            for first, side in zip((row, column), images.shape[2:], strict=True)
        )
        return torch.einsum("nih,nchw,njw->ncij", down, images, right)

    def _placed(self, first: Tensor, side: int) -> Tensor:
        """How much of pixel j of an image is at pixel i of the canvas: (n, size, side)."""
        target, source = coordinates(self.size, first), coordinates(side, first)
        off = (target[:, None] - source - first[:, None, None]).abs()
        if not self.walls:
            off = off.remainder(self.size)
            off = off.minimum(self.size - off)
        return (1 - off).relu()
