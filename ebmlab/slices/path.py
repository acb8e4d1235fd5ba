"""The energy along a path: from one y to another, straight, or through codes."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_floats
from ebmlab.errors import ShapeError
from ebmlab.slices.grid import require_no_couples
from ebmlab.types import as_potential

__all__ = ["Path", "path"]


@dataclass(frozen=True, eq=False)
class Path:
    """An energy along a path, detached.

    Attributes:
        energy: E of each point, (n,).
        t: where, (n,): 0 at the first stop, 1 at the second, …, evenly spaced between.
        y: the points, (n, *event).
    """

    energy: Tensor
    t: Tensor
    y: Tensor

    @property
    def barrier(self) -> Tensor:
        """How far the path rises above the higher of its two ends, >= 0: a 0-d tensor."""
        return self.energy.max() - torch.maximum(self.energy[0], self.energy[-1])

    @property
    def length(self) -> Tensor:
        """How long it is, in the units of y: a 0-d tensor."""
        return (self.y[1:] - self.y[:-1]).flatten(1).norm(dim=1).sum()


@torch.no_grad()
def path(
    u: Callable[[Tensor], Tensor],
    stops: Tensor,
    resolution: int = 50,
    *,
    decode: Callable[[Tensor], Tensor] | None = None,
    chunk: int = 1024,
) -> Path:
    """u on the lines from stop to stop; with `decode`, on what these lines are decoded to.

    The straight line between two images crosses what is no image: a mixture of both, of high
    energy. A line between their codes, decoded, may stay in the valley.

    Args:
        u: a potential, (n, *event) -> (n,).
        stops: (k, *event), k >= 2; of codes where there is a `decode`.
        resolution: points of each line but its first one, >= 1.
        decode: maps codes (n, *code) to y (n, *event).
        chunk: points evaluated at a time.

    Raises:
        ShapeError: there are fewer than two stops, or u does not return one energy per row.
        DtypeError: stops are not floating point.
        ConfigurationError: the energy couples the rows of a batch, or resolution < 1.

    Example:
        >>> found = path(lambda y: -y.square().sum(-1), torch.tensor([[-1.0], [1.0]]), 4)
        >>> found.energy, found.barrier
        (tensor([-1.0000, -0.2500, -0.0000, -0.2500, -1.0000]), tensor(1.))
    """
    require_counts(resolution=resolution, chunk=chunk)
    if require_floats("stops", stops).ndim < 1 or len(stops) < 2:
        raise ShapeError(
            f"stops has shape {tuple(stops.shape)}; a path has two at least: (k, *event), k >= 2"
        )
    u = require_no_couples(as_potential(u))
    stops = stops.detach()
    share = torch.arange(resolution, dtype=stops.dtype, device=stops.device) / resolution
    legs = [torch.lerp(a, b, _beside(share, a)) for a, b in pairwise(stops)]
    points = torch.cat([*legs, stops[-1:]])
    y = points if decode is None else torch.cat([decode(part) for part in points.split(chunk)])
    t = torch.arange(len(points), dtype=stops.dtype, device=stops.device) / resolution
    return Path(torch.cat([u(part) for part in y.split(chunk)]), t, y)


def _beside(share: Tensor, point: Tensor) -> Tensor:
    return share.reshape(-1, *[1] * point.ndim)
