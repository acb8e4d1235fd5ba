"""Codes by their classes, and how many directions they vary in."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from torch import Tensor

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.populations import population
from ebmlab.plot.style import PALETTE, numbers, opened, points, prepared, style

__all__ = ["codes", "spectrum"]

# Yellow vanishes unless a line surrounds it.
_COLORS = PALETTE[:-1]
_MARKS = "o^sDv"
# Least distance of two names, as a share of the picture.
_LEAST = 0.05


@style()
def codes(
    places: Tensor,
    labels: Tensor | None,
    ax: Axes | None = None,
    *,
    names: tuple[str, str] = ("first principal direction", "second"),
    title: str | None = None,
) -> Axes:
    """Codes in a plane, told apart by color, mark, and the name of each class at its median.

    Names that would overlap move apart.

    Args:
        places: (n, 2), as `Plane.pca(codes).coordinates(codes)` gives them.
        labels: classes, (n,) integers; None where they are not known.
        ax: where to draw; None makes a new figure.
        names: of the two directions.
        title: above the axes.

    Raises:
        ShapeError: places is not (n, 2), or labels not (n,).

    Example:
        >>> ax = codes(torch.eye(2), torch.tensor([0, 1]))
        >>> [text.get_text() for text in ax.texts]
        ['0', '1']
    """
    where = points("places", places)
    if labels is None:
        ax = prepared(ax, (4.6, 4.4), title)
        ax.scatter(*where.T, s=_mark(len(where)), c=_COLORS[0], linewidths=0, alpha=0.7)
        ax.set(xlabel=names[0], ylabel=names[1])
        return ax
    if labels.shape != places.shape[:1]:
        raise ShapeError(
            f"labels has shape {tuple(labels.shape)}; {len(places)} places need ({len(places)},)"
        )
    ax = prepared(ax, (4.6, 4.4), title)
    classes = labels.detach().cpu().numpy()
    size = _mark(len(where))
    names_of = np.unique(classes)
    medians = np.stack([np.median(where[classes == name], axis=0) for name in names_of])
    written = _apart(medians, np.ptp(where, axis=0))
    for i, name in enumerate(names_of):
        own = where[classes == name]
        color, mark = _COLORS[i % len(_COLORS)], _MARKS[i // len(_COLORS) % len(_MARKS)]
        ax.scatter(*own.T, s=size, c=color, marker=mark, linewidths=0, alpha=0.7)
        ax.annotate(
            str(name),
            tuple(medians[i]),
            tuple(written[i]),
            ha="center",
            va="center",
            color=color,
            weight="bold",
            fontsize=11,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    ax.set(xlabel=names[0], ylabel=names[1])
    return ax


def _mark(n: int) -> float:
    """The size of one of n marks."""
    return float(np.clip(6000 / n, 5, 18))


def _apart(places: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Places near those (k, 2), no two nearer than a name is large, as a share of the spans."""
    units = np.where(spans > 0, spans, 1.0)
    angles = np.arange(len(places))
    # Names at one place leave it in different directions.
    moved = places / units + 1e-6 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for _ in range(50):
        ways = moved[:, None] - moved[None]
        distances = np.linalg.norm(ways, axis=-1) + np.eye(len(places))
        pushes = np.clip(_LEAST - distances, 0, None) / 2 / distances
        moved = moved + (pushes[..., None] * ways).sum(1)
    return moved * units


@style()
def spectrum(
    populations: Mapping[str, Tensor], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Eigenvalues of the codes' covariance, largest first, as shares of their sum.

    A drop to nothing after k directions says that the codes vary in only k. Eigenvalues below the
    rounding of the largest are left out.

    Args:
        populations: name -> codes (n, d), n >= 2.
        ax: where to draw; None makes a new figure.
        title: above the axes.

    Raises:
        ConfigurationError: there is no population.
        ShapeError, DtypeError, NonFiniteError: codes are not (n, d) with n >= 2, or not finite.

    Example:
        >>> ax = spectrum({"cross": torch.cat([torch.eye(3), -torch.eye(3)])})
        >>> ax.lines[0].get_ydata().round(3).tolist()
        [0.333, 0.333, 0.333]
    """
    if not populations:
        raise ConfigurationError("populations is empty; expected at least one named population")
    ax = opened(prepared(ax, (4.6, 3.2), title), grid=True)
    for i, (name, each) in enumerate(populations.items()):
        share = _shares(name, each)
        place = np.arange(1, len(share) + 1)
        color, mark = PALETTE[i % len(PALETTE)], _MARKS[i % len(_MARKS)]
        ax.plot(place, share, color=color, marker=mark, markersize=2.5, label=name)
    ax.set(xlabel="direction", ylabel="share of the variance", yscale="log")
    if len(populations) > 1:
        ax.legend()
    return ax


def _shares(name: str, each: Tensor) -> np.ndarray:
    values = numbers(population(name, each, least=2))
    resolution = torch.finfo(each.dtype).eps * max(each.shape)
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    kept = singular[singular > resolution * max(singular[0], np.finfo(float).tiny)] ** 2
    return kept / kept.sum() if kept.size else np.zeros(1)
