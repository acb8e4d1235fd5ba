"""Whether samples are copies: the nearest training datum of each, beside that of held-out data."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_device
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_real
from ebmlab.errors import ShapeError
from ebmlab.metrics.auroc import auroc
from ebmlab.metrics.populations import population

__all__ = ["Memorization", "Neighbors", "memorization", "nearest"]

COPY = 1 / 3


class Neighbors(NamedTuple):
    """The nearest of some data to each of n points.

    Attributes:
        which: the row of the datum, (n,).
        distance: how far it is, (n,), in the units of the points.
        ratio: that, over the distance to the second nearest, (n,), in [0, 1]: near 0 for a copy
            of one datum, near 1 where many are as near. NaN where both are 0.
    """

    which: Tensor
    distance: Tensor
    ratio: Tensor


class Memorization(NamedTuple):
    """What `memorization` returns.

    Attributes:
        samples: the nearest training data of the samples.
        held: those of held-out data.
        closer: P(a sample is nearer to its neighbor than a held-out datum is to its own), ties
            half: ½ where samples are as new as held-out data, 1 where all are copies. Blurred
            samples are near to everything, and so above ½ without being copies.
        copies: the share of samples whose ratio is below 1/3; blur does not move it.
        held_copies: likewise of held-out data: twins in the data themselves.
    """

    samples: Neighbors
    held: Neighbors
    closer: float
    copies: float
    held_copies: float


@torch.no_grad()
def nearest(points: Tensor, data: Tensor, *, chunk: int = 4096) -> Neighbors:
    """The nearest datum to each point by Euclidean distance.

    Args:
        points: (n, *event).
        data: (m, *event), m >= 2.
        chunk: data compared at a time.

    Raises:
        ShapeError, DtypeError, DeviceError: points and data do not fit.
        NonFiniteError: one is NaN or infinite.

    Example:
        >>> data = torch.tensor([[0.0], [1.0], [5.0]])
        >>> nearest(torch.tensor([[0.75], [5.0]]), data)
        Neighbors(which=tensor([1, 2]), distance=tensor([0.2500, 0.0000]),
                  ratio=tensor([0.3333, 0.0000]))
    """
    require_counts(chunk=chunk)
    require_real(points=points, data=data)
    if points.shape[1:] != data.shape[1:] or points.ndim < 2:
        raise ShapeError(
            f"points {tuple(points.shape)} and data {tuple(data.shape)} must be (n, *event) and "
            "(m, *event)"
        )
    require_device("points", points.device, {"data": data})
    near = population("points", points.flatten(1))
    far = population("data", data.flatten(1), least=2)
    squares = near.new_empty(len(near), 0)
    index = torch.empty(len(near), 0, dtype=torch.long, device=near.device)
    for first, part in zip(range(0, len(far), chunk), far.split(chunk), strict=True):
        found, at = squared_distances(near, part).topk(min(2, len(part)), largest=False)
        squares, index = torch.cat([squares, found], 1), torch.cat([index, at + first], 1)
        squares, kept = squares.topk(min(2, squares.shape[1]), largest=False)
        index = index.gather(1, kept)
    one, two = squares.sqrt().unbind(1)
    return Neighbors(index[:, 0], one, one / two)


def memorization(
    samples: Tensor, train: Tensor, held: Tensor, *, chunk: int = 4096
) -> Memorization:
    """Are samples copies of training data? Their nearest ones, beside those of held-out data.

    Distances are Euclidean, of pixels or of codes: a copy that is shifted is told by codes only.

    Args:
        samples: (n, *event).
        train: what the model was trained on, (m, *event), m >= 2.
        held: data of the same kind that it has not seen, (l, *event).
        chunk: training data compared at a time.

    Raises:
        ShapeError, DtypeError, DeviceError: the three do not fit.
        NonFiniteError: one is NaN or infinite.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> train, held, fresh = torch.randn(3, 400, 5, generator=rng)
        >>> memorization(train + 1e-3 * held, train, held).copies
        1.0
        >>> found = memorization(fresh, train, held)
        >>> abs(found.closer - 0.5) < 0.1, found.copies < 0.05
        (True, True)

    Source: the ratio: Yoon, Choi, Kwon, Ryu 2023, "Diffusion probabilistic models generalize when
    they fail to memorize".
    """
    near, known = (nearest(points, train, chunk=chunk) for points in (samples, held))
    return Memorization(
        near,
        known,
        auroc(-known.distance, -near.distance),
        *(float((each.ratio.nan_to_num() < COPY).double().mean()) for each in (near, known)),
    )
