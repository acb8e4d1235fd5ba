"""Coordinates against each other, and where trajectories diverged."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ebmlab.errors import ShapeError
from ebmlab.plot.draws import named_columns
from ebmlab.plot.style import PALETTE, numbers, opened, prepared, style

__all__ = ["pairs"]

_MOST = 8
_MARKS = 500
_CROWD = LinearSegmentedColormap.from_list(
    "ebmlab_crowd", ("#f3f8fb", "#56B4E9", "#0072B2", "#1d1841"), 256
)


@style()
def pairs(
    samples: Tensor, names: Sequence[str] | None = None, *, divergent: Tensor | None = None
) -> Figure:
    """Every coordinate against every other as a histogram of the plane, its own on the diagonal.

    All chains are pooled; colors show the root of the counts. Where the divergent draws, which
    are marked, crowd in one place, the step is too long for the landscape.

    At most 8 coordinates are shown. `divergent` (draws, chains) says which draws ended a divergent
    trajectory; of more than 500 some are shown, spread evenly. Other arguments and errors are
    those of `trace`.

    Example:
        >>> import torch
        >>> samples = torch.randn(200, 4, 3, generator=torch.Generator().manual_seed(0))
        >>> len(pairs(samples).axes)
        6
    """
    columns, named = named_columns(samples, names, _MOST)
    points = columns.reshape(-1, len(named))
    marked = _marked(points, samples, divergent)
    bins = int(np.clip(1.6 * len(points) ** (1 / 3), 12, 60))
    edges = [_edges(point, bins) for point in points.T]
    size = 1.55 * len(named) + 0.75
    figure = Figure(figsize=(max(size, 2.6), max(size, 2.4)), layout="constrained")
    grid = figure.add_gridspec(len(named), len(named))
    for j, i in combinations_with_replacement(range(len(named)), 2):
        ax = prepared(figure.add_subplot(grid[i, j]))
        if i == j:
            _alone(ax, points[:, i], edges[i])
            ax.plot(
                marked[:, i], np.zeros(len(marked)), **_FOOT, transform=ax.get_xaxis_transform()
            )
        else:
            _together(ax, points[:, [j, i]], (edges[j], edges[i]))
            ax.plot(*marked[:, [j, i]].T, **_MARK)
            ax.set_ylim(*edges[i][[0, -1]])
        ax.set_xlim(*edges[j][[0, -1]])
        _labels(ax, named, i, j)
    if len(marked):
        figure.axes[0].plot([], [], **_MARK, label="divergent")
        figure.legend(loc="outside upper right")
    figure.align_ylabels()
    return figure


_MARK = {
    "marker": "o",
    "markersize": 3.2,
    "markeredgecolor": "white",
    "markeredgewidth": 0.4,
    "color": PALETTE[1],
    "linestyle": "none",
}
_FOOT = {"marker": "|", "markersize": 4, "color": PALETTE[1], "linestyle": "none", "alpha": 0.4}


def _marked(points: np.ndarray, samples: Tensor, divergent: Tensor | None) -> np.ndarray:
    if divergent is None:
        return points[:0]
    if divergent.shape != samples.shape[:2]:
        raise ShapeError(
            f"divergent has shape {tuple(divergent.shape)}, but samples {tuple(samples.shape)} "
            f"need {tuple(samples.shape[:2])}, one per draw and chain"
        )
    found = points[numbers(divergent).reshape(-1) != 0]
    return found[:: max(1, -(-len(found) // _MARKS))]


def _edges(point: np.ndarray, bins: int) -> np.ndarray:
    low, high = point.min(), point.max()
    margin = 0.03 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, bins + 1)


def _alone(ax: Axes, point: np.ndarray, edges: np.ndarray) -> None:
    heights, _ = np.histogram(point, edges)
    ax.stairs(heights, edges, fill=True, color=PALETTE[5], alpha=0.6)
    ax.stairs(heights, edges, color=PALETTE[0], linewidth=0.9)
    ax.set(ylim=(0, 1.08 * heights.max()), yticks=[])
    opened(ax).spines["left"].set_visible(False)


def _together(ax: Axes, point: np.ndarray, edges: tuple[np.ndarray, np.ndarray]) -> None:
    counts, _, _ = np.histogram2d(*point.T, bins=edges)
    # The root keeps thin tails visible beside a crowded middle.
    height = np.ma.masked_equal(np.sqrt(counts), 0)
    opened(ax).pcolormesh(*edges, height.T, cmap=_CROWD, rasterized=True)


def _labels(ax: Axes, named: Sequence[str], i: int, j: int) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(3))
    bottom, left = i == len(named) - 1, j == 0 and i > 0
    ax.tick_params(labelbottom=bottom, labelleft=left)
    if i != j:
        ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set(xlabel=named[j] if bottom else "", ylabel=named[i] if left else "")
