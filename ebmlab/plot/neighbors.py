"""Samples beside their nearest training data, and both beside held-out data."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_a
from ebmlab.errors import ShapeError
from ebmlab.metrics.memorization import Memorization
from ebmlab.plot.images import pixels_of, sheet_of
from ebmlab.plot.style import DATA, SAMPLES, numbers, opened, prepared, style

__all__ = ["nearest"]


@style()
def nearest(found: Memorization, samples: Tensor, train: Tensor, *, shown: int = 8) -> Figure:
    """Samples over their nearest training images, and how far these are, beside held-out data.

    Args:
        found: what `metrics.memorization(samples, train, held)` returned, of pixels or of codes.
        samples: images (n, c, h, w) in [0, 1].
        train: the training images (m, c, h, w).
        shown: how many samples: those nearest to a training image first.

    Raises:
        ShapeError: samples are no images, or not those of `found`.
        ConfigurationError: found is something else.

    Example:
        >>> import torch
        >>> from ebmlab.metrics import memorization
        >>> samples, train, held = torch.rand(3, 20, 1, 8, 8)
        >>> len(nearest(memorization(samples, train, held), samples, train).axes)
        2
    """
    mend = "metrics.memorization(samples, train, held) makes one"
    near = require_a(Memorization, "found", found, mend).samples
    require_counts(shown=shown)
    if len(near.which) != len(samples):
        raise ShapeError(f"samples are {len(samples)}, but {len(near.which)} neighbors were found")
    first = near.distance.argsort()[:shown]
    pixels = [
        pixels_of(batch, name)
        for name, batch in (("samples", samples[first]), ("train", train[near.which[first]]))
    ]
    columns = len(first)
    figure = Figure(figsize=(max(4.2, 0.75 * columns), 3.9), layout="compressed")
    above, below = figure.subplots(2, 1, height_ratios=[1.7, 1.6])
    captions = [*[""] * columns, *(f"{d:.3g}" for d in numbers(near.distance[first]))]
    sides = ["sample", "nearest in\ntraining data"]
    sheet_of(np.concatenate(pixels), columns, above, sides=sides, captions=captions)
    ax = opened(prepared(below), grid=True)
    away = {"samples": numbers(near.distance), "held-out data": numbers(found.held.distance)}
    bins = np.linspace(0, max(map(np.max, away.values())), 40)
    for (name, each), color, filled in zip(
        away.items(), (SAMPLES, DATA), (False, True), strict=True
    ):
        kind = "stepfilled" if filled else "step"
        ax.hist(
            each,
            bins.tolist(),
            density=True,
            histtype=kind,
            color=color,
            label=name,
            linewidth=1.4,
        )
    ax.set(xlabel="distance to the nearest training datum", ylabel="density")
    ax.set_title(
        f"copies: {found.copies:.1%} of samples, {found.held_copies:.1%} of held-out data"
    )
    ax.legend()
    return figure
