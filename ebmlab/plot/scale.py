"""How energies become colors: heights above the minimum, clipped where one would dominate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from ebmlab._kinds import require_a
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.plot.style import ENERGY, numbers
from ebmlab.slices import Landscape

__all__ = ["Scale", "bar", "heights", "scale"]

_LABEL = r"energy $E - \min E$  (nats at $T = 1$)"


def heights(landscape: Landscape) -> np.ndarray:
    """E - min E, (len(b), len(a)); +∞ and NaN stay; 0 where all differ by rounding errors only."""
    mend = "ebmlab.landscape(energy.given(x), Plane.xy()) makes one"
    energy = numbers(require_a(Landscape, "landscape", landscape, mend).energy)
    if not np.isfinite(energy).any() or np.isneginf(energy).any():
        raise NonFiniteError(
            f"the landscape's energy {energy.shape} holds -inf or nothing finite; choose a window "
            "where the energy is defined"
        )
    finite = energy[np.isfinite(energy)]
    above = energy - finite.min()
    rounding = 16 * torch.finfo(landscape.energy.dtype).eps * np.abs(finite).max()
    return above if np.ptp(finite) > rounding else 0 * above


@dataclass(frozen=True)
class Scale:
    """One map from heights to colors: from low to high, with what lies beyond at each end."""

    low: float
    high: float
    extend: Literal["neither", "min", "max", "both"]

    @property
    def norm(self) -> Normalize:
        """Linear from low to high."""
        return Normalize(self.low, self.high)

    @property
    def ticks(self) -> np.ndarray:
        """Round heights from low to high: the color bar's ticks and the contours' lines."""
        values = np.asarray(MaxNLocator(9, steps=[1, 2, 5, 10]).tick_values(self.low, self.high))
        slack = 1e-9 * (self.high - self.low)
        return values[(values >= self.low - slack) & (values <= self.high + slack)]


def scale(fields: Sequence[np.ndarray], limits: tuple[float, float] | None = None) -> Scale:
    """The scale of one or more fields of heights together.

    Without limits it ends at three times the median height, where that lies below the maximum: a
    quadratic bowl is then shown nearly whole, and a funnel's walls of 10⁵ nats leave its bed
    visible.
    """
    pooled = np.concatenate([field[~np.isnan(field)] for field in fields])
    top = pooled[np.isfinite(pooled)].max()
    if limits is None:
        low, high = 0.0, min(top, 3 * float(np.median(pooled))) or top or 1.0
    else:
        low, high = limits
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ConfigurationError(
                f"limits are {limits}; they are two energies above the minimum, finite, low < high"
            )
    under, over = low > 0, pooled.max() > high
    extend = "both" if under and over else "min" if under else "max" if over else "neither"
    return Scale(low, high, extend)


def bar(
    how: Scale, axes: Axes | Sequence[Axes], *, pad: float = 0.02, label: str = _LABEL
) -> Colorbar:
    """A color bar of the scale beside the axes, pointed where energies lie beyond it."""
    first = axes if isinstance(axes, Axes) else axes[0]
    drawn = first.figure.colorbar(
        ScalarMappable(how.norm, ENERGY),
        ax=axes,
        extend=how.extend,
        ticks=how.ticks,
        label=label,
        pad=pad,
        extendfrac=0.04,
    )
    drawn.outline.set_linewidth(0.6)  # pyright: ignore[reportCallIssue]
    drawn.ax.tick_params(labelsize=8, width=0.6, length=3)
    return drawn
