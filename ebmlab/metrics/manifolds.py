"""Precision and recall of samples: do they lie where data are, and data where they are?"""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_device
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_real
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.populations import population

__all__ = ["PrecisionRecall", "precision_recall"]


class PrecisionRecall(NamedTuple):
    """What `precision_recall` returns; shares in [0, 1], but for the density."""

    precision: float
    recall: float
    density: float
    coverage: float


@torch.no_grad()
def precision_recall(
    samples: Tensor, data: Tensor, k: int = 5, *, chunk: int = 2048
) -> PrecisionRecall:
    """How much of the samples lies among the data, and how much of the data among the samples.

    Around each point of a set lies a ball that reaches to its k-th neighbor in the set; the balls
    of all are its manifold. *Precision* is the share of samples within a ball of the data,
    *recall* that of data within a ball of the samples. *Density* counts in how many balls of the
    data a sample lies, over k: 1 in the mean where both are one law, and outliers of the data
    weigh less. *Coverage* is the share of the balls of the data that hold a sample; it is
    1 - 2⁻ᵏ or so for one law and as many samples.

    Args:
        samples: (n, *event), n > k.
        data: (m, *event), m > k, on the same device.
        k: which neighbor a ball reaches to.
        chunk: memory is that of a few chunk² matrices.

    Raises:
        ShapeError, DtypeError, DeviceError: the points do not fit.
        NonFiniteError: a point is NaN or infinite.
        ConfigurationError: k < 1, or there are no more than k points.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> data = torch.randn(500, 2, generator=rng)
        >>> half = data[data[:, 0] > 0]
        >>> found = precision_recall(half, data)
        >>> found.precision, 0.4 < found.recall < 0.7
        (1.0, True)

    Source: Kynkäänniemi, Karras, Laine, Lehtinen, Aila 2019, arXiv:1904.06991; density and
    coverage, Naeem, Oh, Uh, Choi, Yoo 2020, arXiv:2002.09797.
    """
    require_counts(k=k, chunk=chunk)
    require_real(samples=samples, data=data)
    if samples.shape[1:] != data.shape[1:]:
        raise ShapeError(
            f"samples {tuple(samples.shape)} and data {tuple(data.shape)} differ in their event"
        )
    require_device("samples", samples.device, {"data": data})
    made, true = (
        population(name, t.flatten(1) if t.ndim > 1 else t)
        for name, t in (("samples", samples), ("data", data))
    )
    if min(len(made), len(true)) <= k:
        raise ConfigurationError(
            f"there are {len(made)} samples and {len(true)} data; k is {k}: take more of each"
        )
    reach_made, reach_true = (_reach(t, k, chunk) for t in (made, true))
    balls = torch.zeros(len(made), dtype=torch.int64, device=made.device)
    among, covered = [], []
    for part, reach in zip(true.split(chunk), reach_true.split(chunk), strict=True):
        hits = part.new_zeros(len(part), 2, dtype=torch.bool)
        for rows, own in zip(
            torch.arange(len(made), device=made.device).split(chunk),
            reach_made.split(chunk),
            strict=True,
        ):
            apart = squared_distances(part, made[rows])
            inside = apart <= reach[:, None]
            balls[rows] += inside.sum(0)
            hits |= torch.stack([(apart <= own).any(1), inside.any(1)], 1)
        among.append(hits[:, 0])
        covered.append(hits[:, 1])
    shares = (balls > 0, torch.cat(among), balls.double() / k, torch.cat(covered))
    return PrecisionRecall(*(float(share.double().mean()) for share in shares))


def _reach(points: Tensor, k: int, chunk: int) -> Tensor:
    """The squared distance of each point to its k-th neighbor, (n,)."""
    parts = []
    for rows in torch.arange(len(points), device=points.device).split(chunk):
        apart = squared_distances(points[rows], points)
        # A point is not its own neighbor.
        apart[torch.arange(len(rows), device=points.device), rows] = torch.inf
        parts.append(apart.kthvalue(k, dim=1).values)
    return torch.cat(parts)
