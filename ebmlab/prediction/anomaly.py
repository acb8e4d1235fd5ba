"""How odd a datum is: its energy with its own views."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_rows
from ebmlab.energy import Energy
from ebmlab.prediction.candidates import require_apart
from ebmlab.prediction.chunked import chunked
from ebmlab.protocols import Method
from ebmlab.types import Tree

__all__ = ["anomaly"]


@torch.no_grad()
def anomaly(
    method: Method | Energy,
    data: Tensor,
    source: Callable[[Tensor, torch.Generator], tuple[Tree, Tree]],
    rng: torch.Generator,
    *,
    draws: int = 8,
    chunk: int = 1024,
) -> Tensor:
    """The mean of E(x, y) over draws of (x, y) from each datum, (n,): high where it is odd.

    Views of a familiar datum agree, and its hidden parts are predicted; those of an odd one less
    so. `metrics.auroc` says how well these numbers tell odd data from usual ones.

    Args:
        method: a method or its energy, in evaluation mode where it normalizes over batches.
        data: (n, *event).
        source: makes (x, y) of some data, as in training: `data.views.Pair`, `data.views.Masked`.
        rng: for the source, and for energies that are stochastic.
        draws: how many for each datum.
        chunk: how many data at a time.

    Raises:
        ConfigurationError: the energy couples the rows of a batch.
        NonFiniteError: an energy is NaN.

    Example:
        >>> from ebmlab.data.views import Pair, PointNoise
        >>> from ebmlab.energies import SquaredDistance
        >>> views, rng = Pair(PointNoise(0.1)), torch.Generator().manual_seed(0)
        >>> odd = anomaly(SquaredDistance(), torch.zeros(3, 1000), views, rng, draws=4)
        >>> bool(((odd - 2 * 1000 * 0.1**2).abs() < 2).all())
        True
    """
    energy = method.energy if isinstance(method, Method) else method
    require_apart(energy)
    require_rows("data", data)
    require_counts(draws=draws, chunk=chunk)
    means = []
    for part in data.split(chunk):
        each = [chunked(energy, *source(part, rng), rng=rng, chunk=chunk) for _ in range(draws)]
        means.append(torch.stack(each).mean(0))
    return torch.cat(means)
