"""Curves: free energies over temperature, and what training records."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from torch import Tensor

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.style import DASHES, PALETTE, TEMPERATURE, numbers, opened, prepared, style

__all__ = ["curves", "free_energy"]


@style()
def free_energy(
    y: Tensor,
    energies: Tensor,
    temperatures: Tensor | Sequence[float],
    ax: Axes | None = None,
    *,
    xlabel: str = "$y$",
    title: str | None = None,
) -> Axes:
    """Cross-sections F_T(y), colored by temperature; T = 0, the minimum over z, is black.

    Args:
        y: where, (n,).
        energies: F_T(y), (t, n).
        temperatures: (t,), not negative.
        ax: where to draw; None makes a new figure.
        xlabel: name of y.
        title: above the axes.

    Raises:
        ShapeError: shapes do not fit each other.
        ConfigurationError: a temperature is negative or not finite.

    Example:
        >>> import torch
        >>> y = torch.linspace(-2, 2, 50)
        >>> each = torch.stack([y.square(), y.square() + 1])
        >>> ax = free_energy(y, each, [0.0, 1.0])
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['$T = 0$']
    """
    place, values, warmth = numbers(y), numbers(energies), numbers(temperatures)
    if place.ndim != 1 or warmth.ndim != 1 or values.shape != (len(warmth), len(place)):
        raise ShapeError(
            f"y {place.shape}, energies {values.shape} and temperatures {warmth.shape} do not "
            "fit; they are (n,), (t, n) and (t,)"
        )
    if len(warmth) == 0 or not (np.isfinite(warmth) & (warmth >= 0)).all():
        raise ConfigurationError(
            f"temperatures are {warmth.tolist()}; expected at least one, all finite, none negative"
        )
    ax = opened(prepared(ax, (4.6, 3.2), title), grid=True)
    warm = warmth > 0
    if warm.any():
        norm = _temperature_bar(ax, warmth[warm])
        for k in np.argsort(-warmth)[: warm.sum()]:
            ax.plot(place, values[k], color=TEMPERATURE(norm(warmth[k])))
    for row in values[~warm]:
        ax.plot(place, row, color="black", linewidth=1.8, linestyle=(0, (4, 1.5)), label="$T = 0$")
    if not warm.all():
        ax.legend()
    ax.set(xlabel=xlabel, ylabel="free energy $F_T$", xlim=(place.min(), place.max()))
    return ax


def _temperature_bar(ax: Axes, warm: np.ndarray) -> LogNorm:
    # A margin of 10 % on both sides keeps the scale proper when there is one temperature.
    norm = LogNorm(warm.min() / 1.1, warm.max() * 1.1)
    bar = ax.figure.colorbar(
        ScalarMappable(norm, TEMPERATURE), ax=ax, label="temperature $T$", pad=0.02
    )
    bar.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(which="both", labelsize=8, width=0.6)
    bar.ax.hlines(warm, 0, 1, colors="white", linewidths=0.6)
    return norm


@style()
def curves(
    values: Mapping[str, Tensor | Sequence[float]],
    steps: Tensor | Sequence[float] | None = None,
    ax: Axes | None = None,
    *,
    xlabel: str = "step",
    ylabel: str = "",
    title: str | None = None,
    logy: bool = False,
) -> Axes:
    """Named curves over steps, told apart by color and dashes; the names of many stand beside.

    Args:
        values: name -> (n,).
        steps: (n,), where the values were taken; None counts from 0.
        ax: where to draw; None makes a new figure.
        xlabel: name of the steps.
        ylabel: name and unit of the values.
        title: above the axes.
        logy: whether the vertical axis is logarithmic; zeros are then left out.

    Raises:
        ConfigurationError: there is no curve.
        ShapeError: a curve is not (n,), or is not as long as steps.

    Example:
        >>> ax = curves({"train": [3.0, 2.0, 1.5], "test": [3.1, 2.4, 2.2]}, ylabel="nats")
        >>> [line.get_label() for line in ax.lines]
        ['train', 'test']
    """
    if not values:
        raise ConfigurationError("values is empty; expected at least one named curve")
    many = len(values) > 4
    ax = opened(prepared(ax, (6.8 if many else 4.6, 3.0), title), grid=True)
    for k, (name, each) in enumerate(values.items()):
        height = numbers(each)
        place = np.arange(height.size) if steps is None else numbers(steps)
        if height.ndim != 1 or place.shape != height.shape:
            raise ShapeError(
                f"{name} has shape {height.shape} and steps {place.shape}; both are (n,)"
            )
        dash = DASHES[k % len(DASHES)]
        ax.plot(place, height, color=PALETTE[k % len(PALETTE)], linestyle=dash, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if logy else "linear")
    ax.legend(**({"loc": "center left", "bbox_to_anchor": (1.01, 0.5)} if many else {}))
    return ax
