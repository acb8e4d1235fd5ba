"""Reliability diagrams: how often a classifier is right, by how sure it is."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ebmlab.errors import ConfigurationError
from ebmlab.metrics import Reliability
from ebmlab.plot.style import DASHES, PALETTE, numbers, opened, prepared, style

__all__ = ["reliability"]


@style()
def reliability(
    found: Mapping[str, Reliability], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Accuracy over confidence, bin by bin; on the diagonal a classifier is as right as it says.

    The area of a mark is the share of the data in its bin: below the diagonal many are believed
    too much. Empty bins are left out.

    Args:
        found: name -> what `metrics.reliability` found.
        ax: where to draw; None makes a new figure.
        title: above the axes.

    Raises:
        ConfigurationError: there is nothing to draw.

    Example:
        >>> import torch
        >>> from ebmlab import metrics
        >>> p = torch.tensor([[0.9, 0.1], [0.6, 0.4]])
        >>> ax = reliability({"model": metrics.reliability(p, torch.tensor([0, 1]))})
        >>> ax.get_xlabel()
        'confidence'
    """
    if not found:
        raise ConfigurationError("found is empty; expected at least one named reliability")
    ax = opened(prepared(ax, (3.8, 3.6), title), grid=True)
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.7, linestyle=(0, (4, 2)))
    for k, (name, each) in enumerate(found.items()):
        sure, right, share = (numbers(part) for part in each)
        held = share > 0
        color = PALETTE[k % len(PALETTE)]
        dash = DASHES[k % len(DASHES)]
        ax.plot(sure[held], right[held], color=color, linestyle=dash, linewidth=1.0, label=name)
        ax.scatter(sure[held], right[held], s=6 + 150 * share[held], color=color, alpha=0.6)
    lowest = min(float(np.nanmin(numbers(each.confidence))) for each in found.values())
    start = max(0.0, np.floor(10 * lowest) / 10)
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(start, 1.02), ylim=(-0.02, 1.04))
    ax.legend(loc="lower right")
    return ax
