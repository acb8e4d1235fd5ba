"""Chains over time and by rank: whether they have mixed, at a glance."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.plot.draws import chosen, named_columns
from ebmlab.plot.style import PALETTE, opened, prepared, style

__all__ = ["ranks", "trace"]

_ROWS = 10
_CHAINS = 6
_POINTS = 1000
_GRID = 256
_BAND = 0.99


@style()
def trace(samples: Tensor, names: Sequence[str] | None = None) -> Figure:
    """Each coordinate over the draws, a line per chain, and beside it the chains' densities.

    Chains that have mixed look like one band of noise with one density. Of more than six chains
    six are drawn, spread evenly, and of long ones every k-th draw; the gray density is that of all
    draws of all chains.

    Args:
        samples: (draws, chains, *event), as `run(…, thin=1)` keeps them; at most 10 coordinates.
        names: one per coordinate; None numbers them.

    Raises:
        ShapeError: samples have another shape, fewer than 4 draws, or too many coordinates.
        NonFiniteError: a draw is NaN or infinite.

    Example:
        >>> import torch
        >>> samples = torch.randn(200, 4, 2, generator=torch.Generator().manual_seed(0))
        >>> figure = trace(samples, ["here", "there"])
        >>> [ax.get_ylabel() for ax in figure.axes]
        ['here', '', 'there', '']
    """
    columns, named = named_columns(samples, names, _ROWS)
    rows = len(named)
    figure = Figure(figsize=(6.8, 1.3 * rows + 0.9), layout="constrained")
    grid = figure.add_gridspec(rows, 2, width_ratios=(4, 1))
    shown = chosen(columns.shape[1], _CHAINS)
    for i, name in enumerate(named):
        left = prepared(figure.add_subplot(grid[i, 0]))
        right = prepared(figure.add_subplot(grid[i, 1], sharey=left))
        _lines(left, columns[..., i], shown)
        _densities(right, columns[..., i], shown)
        left.set_ylabel(name)
        last = i == rows - 1
        left.set_xlabel("draw" if last else "")
        right.set_title("" if i else "density")
        left.tick_params(labelbottom=last)
    figure.align_ylabels()
    lines = figure.axes[0].lines
    legend = figure.legend(handles=lines, loc="outside upper left", ncols=len(shown))
    for line in legend.get_lines():
        line.set(linewidth=2.0, alpha=1.0)
    return figure


def _lines(ax: Axes, draws: np.ndarray, shown: list[int]) -> None:
    stride = -(-len(draws) // _POINTS)
    place = np.arange(0, len(draws), stride)
    for k, chain in enumerate(shown):
        line = draws[::stride, chain]
        ax.plot(place, line, color=PALETTE[k], linewidth=0.5, alpha=0.75, label=f"chain {chain}")
    opened(ax).set_xlim(0, len(draws) - 1)
    ax.yaxis.set_major_locator(MaxNLocator(4))


def _densities(ax: Axes, draws: np.ndarray, shown: list[int]) -> None:
    low, high = draws.min(), draws.max()
    margin = 0.1 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, _GRID + 1)
    place = 0.5 * (edges[1:] + edges[:-1])
    ax.fill_betweenx(place, _smoothed(draws, edges), color="#d9d9d9", linewidth=0)
    for k, chain in enumerate(shown):
        ax.plot(_smoothed(draws[:, chain], edges), place, color=PALETTE[k], linewidth=0.9)
    ax.set(xlim=(0, None), xticks=[], ylim=edges[[0, -1]])
    ax.tick_params(labelleft=False, length=0)
    opened(ax).spines["bottom"].set_visible(False)


def _smoothed(draws: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A kernel density estimate on a fine grid, with a width by Silverman's rule."""
    heights, _ = np.histogram(draws, edges, density=True)
    step = edges[1] - edges[0]
    quartiles = np.subtract(*np.quantile(draws, (0.75, 0.25))) / 1.34
    spread = min(draws.std(), quartiles) or draws.std()
    width = max(0.9 * spread * draws.size**-0.2 / step, 0.5)
    offsets = np.arange(1 - _GRID, _GRID)
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    return np.convolve(heights, kernel / kernel.sum(), "full")[_GRID - 1 : 2 * _GRID - 1]


@style()
def ranks(samples: Tensor, names: Sequence[str] | None = None, *, bins: int = 20) -> Figure:
    """How the draws of each chain rank among those of all: flat where the chains have mixed.

    A slope is a chain that stays low or high, a hump or a valley one that is too narrow or too
    wide. The dashed line is flat; the band holds a bar of independent draws 99 times in 100, and
    draws that depend on each other leave it more often. Of more than six chains six are drawn.
    Arguments and errors are those of `trace`; a histogram has `bins` bars.

    Example:
        >>> import torch
        >>> samples = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
        >>> [ax.get_title() for ax in ranks(samples).axes]
        ['chain 0', 'chain 1', 'chain 2']

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """
    from scipy.stats import hypergeom, rankdata

    require_counts(bins=bins)
    columns, named = named_columns(samples, names, _ROWS)
    draws, chains, rows = columns.shape
    shown = chosen(chains, _CHAINS)
    size = (max(1.35 * len(shown) + 0.6, 3.0), 1.15 * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, len(shown), sharex=True, sharey="row", squeeze=False)
    total = draws * chains
    band = hypergeom(total, round(total / bins), draws).ppf([(1 - _BAND) / 2, (1 + _BAND) / 2])
    for (i, j), ax in np.ndenumerate(panels):
        opened(prepared(ax))
        rank = rankdata(columns[..., i]).reshape(draws, chains)[:, shown[j]]
        heights, edges = np.histogram(rank, bins, (0.5, total + 0.5))
        ax.stairs(heights, edges, fill=True, color=PALETTE[j], alpha=0.75)
        ax.axhspan(*band, color="black", alpha=0.1, linewidth=0)
        ax.axhline(draws / bins, color="black", linewidth=0.7, linestyle=(0, (4, 2)))
        ax.set(xlim=edges[[0, -1]], xticks=[])
        ax.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        ax.set_title(f"chain {shown[j]}" if i == 0 else "")
        ax.set(xlabel="rank" if i == rows - 1 else "", ylabel=named[i] if j == 0 else "")
    figure.align_ylabels()
    return figure
