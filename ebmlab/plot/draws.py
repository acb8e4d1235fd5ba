"""Chains of samples as the few named columns that a picture can hold."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ebmlab.errors import ShapeError
from ebmlab.metrics.coordinates import coordinate_names, require_draws
from ebmlab.plot.style import numbers

__all__ = ["chosen", "named_columns"]


def named_columns(
    samples: Tensor, names: Sequence[str] | None, most: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples as (draws, chains, coordinates), and a name of each; raises as `trace`."""
    require_draws(samples)
    event = samples.shape[2:]
    if event.numel() > most:
        raise ShapeError(
            f"samples has shape {tuple(samples.shape)}: {event.numel()} coordinates, but at most "
            f"{most} can be read in one picture; choose some, as samples.flatten(2)[..., :{most}]"
        )
    named = coordinate_names(names, event)
    return numbers(samples).reshape(*samples.shape[:2], -1), named


def chosen(chains: int, most: int) -> list[int]:
    """Which chains are shown: all, or `most` of them spread evenly."""
    return sorted({round(k) for k in np.linspace(0, chains - 1, min(chains, most)).tolist()})
