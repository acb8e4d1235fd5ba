"""The layers of a landscape's picture: filled contours, marks, arrows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.plot.chains import paths
from ebmlab.plot.scale import Scale
from ebmlab.plot.style import DATA, ENERGY, SAMPLES, numbers, points
from ebmlab.slices import Landscape

__all__ = ["filled", "in_each", "marks"]

FEW = 50
_DARK = "#1d1841"


def filled(
    ax: Axes, landscape: Landscape, field: np.ndarray, how: Scale, *, directed: bool = False
) -> None:
    """Filled contours of a field of heights, lines at the color bar's ticks, arrows downhill."""
    a, b = numbers(landscape.a), numbers(landscape.b)
    top = max(field[np.isfinite(field)].max(), how.high)
    shown = np.ma.masked_invalid(np.where(np.isposinf(field), 2 * top, field))
    levels = np.linspace(how.low, how.high, 97)
    ax.contourf(a, b, shown, levels, cmap=ENERGY, norm=how.norm, extend=how.extend)
    lines = [tick for tick in how.ticks if how.low < tick < min(how.high, shown.max())]
    if lines:
        ax.contour(a, b, shown, lines, colors=_ink(how, np.array(lines)), linewidths=0.4)
    ax.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), facecolor=ENERGY.get_bad())
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 4, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 4, 5, 10]))
    spans = a[-1] - a[0], b[-1] - b[0]
    if max(spans) <= 2 * min(spans):
        ax.set_aspect("equal")
    if directed:
        _arrows(ax, landscape, field, how)


def _ink(how: Scale, height: np.ndarray) -> np.ndarray:
    """A color that stands out on those of these heights: white on dark, dark on light."""
    light = (how.norm(height) > 0.55)[..., None]
    return np.where(light, to_rgba(_DARK, 0.5), to_rgba("white", 0.6))


def marks(
    ax: Axes, data: Tensor | None, samples: Tensor | None, trajectories: Tensor | None
) -> None:
    """Data as circles and samples as crosses, each (n, 2); chains (steps, chains, 2) as lines."""
    if data is not None:
        x, y = points("data", data).T
        ax.scatter(x, y, s=8, color=DATA, edgecolors="white", linewidths=0.3, label="data")
    if samples is not None:
        x, y = points("samples", samples).T
        few = len(x) <= FEW
        halo = [withStroke(linewidth=3.0, foreground="white")] if few else []
        size, width = (36, 1.2) if few else (12, 0.9)
        crosses = ax.scatter(x, y, s=size, color=SAMPLES, marker="x", linewidths=width)
        crosses.set(label="samples", path_effects=halo)
    if trajectories is not None:
        paths(ax, points("trajectories", trajectories, 3))


def in_each(
    where: str, titles: Sequence[str], **shown: Sequence[Any] | None
) -> list[Sequence[Any]]:
    """What each panel or frame shows; None shows nothing in any. All must be as many as titles."""
    lists = {n: [None] * len(titles) if v is None else v for n, v in shown.items()}
    counts = {name: len(each) for name, each in {**lists, "titles": titles}.items()}
    if not titles or set(counts.values()) != {len(titles)}:
        arrived = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise ConfigurationError(f"{arrived} arrived; expected one of each per {where}")
    return list(lists.values())


def _arrows(ax: Axes, landscape: Landscape, field: np.ndarray, how: Scale) -> None:
    """Directions of -∇E by finite differences, on a coarse grid; none where it vanishes."""
    a, b = numbers(landscape.a), numbers(landscape.b)
    finite = np.where(np.isfinite(field), field, np.nan)
    rows, columns = (
        np.linspace(0, n - 1, min(n, 18)).round().astype(int)[1:-1] for n in field.shape
    )
    place = np.ix_(rows, columns)
    down_b, down_a = (-slope[place] for slope in np.gradient(finite, b, a))
    length = np.hypot(down_a, down_b)
    length[~(length > 0)] = np.nan
    ax.quiver(
        a[columns],
        b[rows],
        down_a / length,
        down_b / length,
        angles="xy",
        pivot="mid",
        scale=26,
        width=0.004,
        color=_ink(how, finite[place]).reshape(-1, 4),
    )
