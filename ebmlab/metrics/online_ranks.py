"""`OnlineRanks`: how many directions codes use, without labels, during training."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.errors import ShapeError
from ebmlab.metrics.discriminant import lidar
from ebmlab.metrics.online import Online, Seen
from ebmlab.metrics.spectrum import rankme

__all__ = ["OnlineRanks"]


@final
class OnlineRanks(Online):
    """A watch: RankMe of the codes of images, and LiDAR of those of several views of each.

    The same views come at every look, so that only codes move the curves. Both need no labels.

    Metrics: `rankme`, and `lidar` where there are views.

    Args:
        images: (n, *event), n >= 2.
        views: (images, rng) to a view of each, as `Method.encode` takes them, such as
            `data.views.simclr(size).first`; None leaves LiDAR out.
        shown: images as `Method.encode` takes them; None leaves them as they are.
        count: views of each image, at least 2.
        every: looks from one that is taken to the next; each encodes 1 + `count` times all images.
        ridge: as `lidar` takes it.
        rows: images encoded at a time.
        seed: of the views.

    Raises:
        ShapeError: there are fewer than 2 images.
        ConfigurationError: a number is out of range.

    Example:
        >>> images = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
        >>> noisy = lambda y, rng: y + 0.1 * torch.randn(y.shape, generator=rng)
        >>> watch = OnlineRanks(images, noisy)
        >>> seen = watch.look(lambda images: images)  # fit calls watch(method, batch, loss)
        >>> {name: round(rank, 1) for name, rank in seen.items()}
        {'rankme': 3.0, 'lidar': 3.0}
    """

    def __init__(
        self,
        images: Tensor,
        views: Callable[[Tensor, torch.Generator], Tensor] | None = None,
        *,
        shown: Callable[[Tensor], Tensor] | None = None,
        count: int = 10,
        every: int = 1,
        ridge: float = 1e-4,
        rows: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__(every, rows)
        require_counts(2, count=count)
        require_positive("ridge", ridge)
        if images.ndim < 2 or len(images) < 2:
            raise ShapeError(
                f"images has shape {tuple(images.shape)}; expected (n, *event), n > 1"
            )
        self.images, self.views, self.count = images, views, count
        self.shown = images if shown is None else shown(images)
        self.ridge, self.seed = ridge, seed

    def look(self, seen: Seen) -> dict[str, float]:
        """Measure the codes of the images, and of their views."""
        codes = seen(self.shown)
        if not bool(codes.isfinite().all()):
            return {}
        ranks = {"rankme": rankme(codes)}
        if self.views is None:
            return ranks
        rng = torch.Generator(self.images.device).manual_seed(self.seed)
        drawn = [seen(self.views(self.images, rng)) for _ in range(self.count)]
        several = torch.stack(drawn, dim=1)
        if bool(several.isfinite().all()):
            ranks["lidar"] = lidar(several, ridge=self.ridge)
        return ranks
