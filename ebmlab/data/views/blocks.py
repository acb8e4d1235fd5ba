"""Images with several blocks of patches hidden, each to be told from the rest."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks._backbones.patches import patched

__all__ = ["Blocks"]

_TRIES = 100


@dataclass(frozen=True)
class Blocks:
    """Hide blocks of patches, show what a larger block has beside them: (images, rng) -> (x, y).

    x is (patches, visible, hidden): the visible patches (n, k, patch² c), their indices (n, k),
    and those of the targets (n, targets, t), which may overlap; y is (images, hidden). Indices
    count row by row. Heights and widths are drawn once for all images of a call, places for each
    image; of the visible patches each image keeps as many as the one that has fewest, by chance.

    Args:
        patch: height and width of a patch.
        targets: how many blocks are to be told.
        scale: range of the share of all patches in a target.
        aspect: range of its height over its width.
        context: range of the share of all patches in the (square) block that is shown.
        least: at least so many patches stay visible.

    Raises:
        ConfigurationError: a range or a count is none, rng is missing, or hardly any draw of
            targets leaves patches visible.
        ShapeError: images are not (n, c, h, w) with patch dividing h and w.

    Example:
        >>> blocks = Blocks(patch=2, targets=3)
        >>> images, rng = torch.rand(5, 1, 8, 8), torch.Generator().manual_seed(0)
        >>> (patches, visible, hidden), (same, _) = blocks(images, rng)
        >>> hidden.shape[:2], bool((visible[:, :, None] == hidden.flatten(1)[:, None]).any())
        (torch.Size([5, 3]), False)

    Source: Assran et al. 2023, arXiv:2301.08243.
    """

    patch: int
    targets: int = 4
    scale: tuple[float, float] = (0.15, 0.2)
    aspect: tuple[float, float] = (0.75, 1.5)
    context: tuple[float, float] = (0.85, 1.0)
    least: int = 1

    def __post_init__(self) -> None:
        require_counts(patch=self.patch, targets=self.targets, least=self.least)
        for name in ("scale", "aspect", "context"):
            low, high = getattr(self, name)
            require_positive(f"{name}[0]", low)
            if high < low or (name != "aspect" and high > 1):
                raise ConfigurationError(
                    f"{name} is {(low, high)}; expected 0 < low <= high (<= 1)"
                )

    def __call__(
        self, images: Tensor, rng: torch.Generator
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What is visible and where the targets are; the images, and that again."""
        if images.ndim != 4 or not len(images):
            raise ShapeError(
                f"Blocks received shape {tuple(images.shape)}; expected (n, channels, h, w)"
            )
        rng = require_generator(rng, "Blocks", images.device)
        patches = patched(images, self.patch)
        grid = (images.shape[2] // self.patch, images.shape[3] // self.patch)
        block = self._size(grid, self.scale, self.aspect, rng)
        shown = self._size(grid, self.context, (1.0, 1.0), rng)
        hidden, free = self._drawn(len(images), grid, block, shown, rng)
        chance = torch.rand(free.shape, generator=rng, device=images.device)
        k = int(free.sum(1).min())
        visible = chance.masked_fill(~free, 2.0).argsort(dim=1)[:, :k].sort(dim=1).values
        return (patches.take_along_dim(visible[..., None], 1), visible, hidden), (images, hidden)

    def _size(
        self,
        grid: tuple[int, int],
        scale: tuple[float, float],
        aspect: tuple[float, float],
        rng: torch.Generator,
    ) -> tuple[int, int]:
        """Height and width of a block, in patches."""
        u = torch.rand(2, generator=rng, device=rng.device).tolist()
        area = (scale[0] + u[0] * (scale[1] - scale[0])) * grid[0] * grid[1]
        ratio = aspect[0] + u[1] * (aspect[1] - aspect[0])
        high, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        return min(max(high, 1), grid[0]), min(max(wide, 1), grid[1])

    def _drawn(
        self,
        n: int,
        grid: tuple[int, int],
        block: tuple[int, int],
        shown: tuple[int, int],
        rng: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Indices of targets (n, targets, t), and which patches are visible (n, patches)."""
        hidden = _places(n * self.targets, grid, block, rng).unflatten(0, (n, self.targets))
        free = _free(_places(n, grid, shown, rng), hidden, grid)
        for _ in range(_TRIES):
            bad = (free.sum(1) < self.least).nonzero()[:, 0]
            if not len(bad):
                return hidden, free
            again = _places(len(bad) * self.targets, grid, block, rng)
            hidden[bad] = again.unflatten(0, (len(bad), self.targets))
            free[bad] = _free(_places(len(bad), grid, shown, rng), hidden[bad], grid)
        raise ConfigurationError(
            f"{self.targets} targets of {block} of {grid} patches leave fewer than {self.least} "
            "visible in nearly all draws; take fewer or smaller targets, or smaller patches"
        )


def _places(n: int, grid: tuple[int, int], block: tuple[int, int], rng: torch.Generator) -> Tensor:
    """The indices (n, high * wide) of n blocks, each somewhere in the grid."""
    rows, columns = (
        torch.randint(side - length + 1, (n, 1, 1), generator=rng, device=rng.device)
        + torch.arange(length, device=rng.device).reshape(shape)
        for side, length, shape in zip(grid, block, ((-1, 1), (1, -1)), strict=True)
    )
    return (rows * grid[1] + columns).flatten(1)


def _free(shown: Tensor, hidden: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which patches (n, patches) are shown and in no target."""
    free = torch.zeros(len(shown), grid[0] * grid[1], dtype=torch.bool, device=shown.device)
    return free.scatter(1, shown, True).scatter(1, hidden.flatten(1), False)
