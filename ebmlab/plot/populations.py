"""Energies of several populations on one axis: data, negatives, samples, noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.plot.style import DASHES, PALETTE, numbers, opened, prepared, style

__all__ = ["energies"]

# The window holds this part of each population, and no more than so many widths of the first.
_INNER, _WIDTHS = (0.01, 0.99), 6.0


@style()
def energies(
    values: Mapping[str, Tensor | Sequence[float]],
    ax: Axes | None = None,
    *,
    bins: int = 60,
    title: str | None = None,
) -> Axes:
    """Histograms of energies, told apart by color and dashes; each has area 1 with what is beyond.

    Where a model fits, samples of it lie on the data, and noise lies above both. Samples below
    the data mean wells where there are none; negatives far above teach nothing. The window is
    chosen for the first population; the share of another that lies beyond stands in its name.

    Args:
        values: name -> energies (n,); the data first.
        ax: where to draw; None makes a new figure.
        bins: bars across the window.
        title: above the axes.

    Raises:
        ConfigurationError: there is no population, or bins < 1.
        ShapeError: one is not (n,), or empty.
        NonFiniteError: an energy is NaN or -∞.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Gaussian
        >>> energy, rng = Gaussian(torch.zeros(2), torch.eye(2)), torch.Generator().manual_seed(0)
        >>> points = {"data": energy.sample(500, rng), "noise": 4 * torch.randn(500, 2)}
        >>> ax = energies({name: energy(None, y) for name, y in points.items()})
        >>> ax.get_xlabel()
        'energy $E$'
    """
    require_counts(bins=bins)
    if not values:
        raise ConfigurationError("values is empty; expected at least one named population")
    populations = {name: _checked(name, numbers(each)) for name, each in values.items()}
    ax = opened(prepared(ax, (4.6, 3.0), title))
    edges = np.linspace(*_window(list(populations.values())), bins + 1)
    for k, (name, each) in enumerate(populations.items()):
        counts, _ = np.histogram(each, edges)
        beyond = 1 - counts.sum() / each.size
        color, dash = PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]
        shares = counts / each.size / (edges[1] - edges[0])
        ax.stairs(shares, edges, fill=True, color=color, alpha=0.15)
        told = f"{name} ({beyond:.0%} beyond)" if beyond >= 0.01 else name
        ax.stairs(shares, edges, color=color, linewidth=1.3, linestyle=dash, label=told)
    ax.set(xlabel="energy $E$", ylabel="density", xlim=edges[[0, -1]], yticks=[], ylim=(0, None))
    ax.legend(loc="upper right")
    return ax


def _checked(name: str, each: np.ndarray) -> np.ndarray:
    if each.ndim != 1 or each.size == 0:
        raise ShapeError(f"the energies of {name} have shape {each.shape}; expected (n,), n >= 1")
    if np.isnan(each).any() or np.isneginf(each).any():
        raise NonFiniteError(f"the energies of {name} hold NaN or -inf")
    return each


def _window(populations: list[np.ndarray]) -> tuple[float, float]:
    """From the lowest to the highest, without the tails; limited in widths of the first."""
    inner = [np.quantile(each[np.isfinite(each)], _INNER) for each in populations if _finite(each)]
    if not inner:
        raise NonFiniteError("all energies are inf; there is nothing to show")
    (low, high), widths = inner[0], _WIDTHS * (np.ptp(inner[0]) or 1.0)
    bottom = max(low - widths, min(each[0] for each in inner))
    top = min(high + widths, max(each[1] for each in inner))
    margin = 0.05 * (top - bottom) or 0.5
    return bottom - margin, top + margin


def _finite(each: np.ndarray) -> bool:
    return bool(np.isfinite(each).any())
