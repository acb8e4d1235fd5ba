"""Rate–distortion curves: what z costs, and what it buys."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from ebmlab.errors import ConfigurationError
from ebmlab.metrics import RateDistortion
from ebmlab.plot.style import DASHES, PALETTE, numbers, opened, prepared, style

__all__ = ["rate_distortion"]


@style()
def rate_distortion(
    found: Mapping[str, RateDistortion], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Distortion over the nats of z, a mark at each temperature: low and to the left is better.

    Args:
        found: name -> what `metrics.rate_distortion` found.
        ax: where to draw; None makes a new figure.
        title: above the axes.

    Raises:
        ConfigurationError: there is nothing to draw.

    Example:
        >>> import torch
        >>> from ebmlab.metrics import RateDistortion
        >>> curve = RateDistortion(*torch.tensor([[0.1, 1.0], [0.6, 0.1], [0.0, 0.4]]))
        >>> rate_distortion({"model": curve}).get_xlabel()
        'rate: nats of $z$'
    """
    if not found:
        raise ConfigurationError("found is empty; expected at least one named curve")
    ax = opened(prepared(ax, (4.2, 3.2), title), grid=True)
    for k, (name, each) in enumerate(found.items()):
        color, dash = PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]
        rate, distortion = numbers(each.rate), numbers(each.distortion)
        ax.plot(rate, distortion, color=color, linestyle=dash, marker=".", label=name)
    ax.set(xlabel="rate: nats of $z$", ylabel="distortion: mean energy")
    ax.legend(loc="upper right")
    return ax
