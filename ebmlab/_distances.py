"""Squared distances of many pairs by products of matrices, where their rounding does no harm."""

import torch
from torch import Tensor

from ebmlab._precise import precise, precise_type

__all__ = ["nearest_rows", "squared_distances"]

# Products held at a time while the nearest are sought: what stays in the processor's cache.
_BLOCK = {"cpu": 2**18}
_LARGE_BLOCK = 2**24


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """‖x_i - y_j‖² of all rows of x (n, d) and y (m, d): (n, m), never below 0.

    Single precision is multiplied in double, where ‖x‖² - 2 x·y + ‖y‖² is as exact as the points.

    Example:
        >>> squared_distances(torch.tensor([[1e4], [1e4 + 1]]), torch.tensor([[1e4]])).T
        tensor([[0., 1.]])
    """
    origin = _middle(y.detach())
    a, b = x.double() - origin, y.double() - origin
    norms = torch.linalg.vecdot(a, a)[:, None] + torch.linalg.vecdot(b, b)
    products = torch.addmm(norms, a, b.mT, alpha=-2).clamp(min=0)
    return products.to(precise_type(torch.promote_types(x.dtype, y.dtype)))


@torch.no_grad()
def nearest_rows(x: Tensor, y: Tensor) -> Tensor:
    """Which row of y (m, d) is nearest to each of x (n, d), of equal ones the first: (n,).

    The product ‖y‖² - 2 x·y finds it where no other comes as near as rounding; else the
    differences themselves decide.

    Example:
        >>> y = torch.tensor([[0.0], [1.0], [20000.0]])
        >>> nearest_rows(torch.tensor([[0.0], [0.9]]), y)
        tensor([0, 1])
    """
    x, y = precise(x), precise(y)
    size = max(1, _BLOCK.get(x.device.type, _LARGE_BLOCK) // len(y))
    # What the sums of d products, and the differences from the origin, round off at most.
    unit = (x.shape[1] + 8) * torch.finfo(x.dtype).eps
    with torch.autocast(x.device.type, enabled=False):
        origin = _middle(y)
        b = y - origin
        norms = torch.linalg.vecdot(b, b)
        found = [_candidates(p - origin, b.mT, (1 - unit) * norms) for p in x.split(size)]
        best, ahead, reach = (torch.cat(part) for part in zip(*found, strict=True))
        # NaN is doubtful too.
        doubtful = (~(ahead > 2 * unit * (norms[best] + reach))).nonzero()[:, 0]
        for rows in doubtful.split(size):
            away = torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist")
            best[rows] = away.argmin(1)
    return best


def _candidates(a: Tensor, b: Tensor, least: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The column of b with the lowest bound, how far it is ahead, and ‖a‖²: (n,) each."""
    low = torch.addmm(least, a, b, alpha=-2)
    lowest, best = low.min(1)
    second = low.scatter_(1, best[:, None], torch.inf).amin(1)
    return best, second - lowest, torch.linalg.vecdot(a, a)


def _middle(points: Tensor) -> Tensor:
    """A point in the midst of most, which no outlier moves: products round least about it."""
    return points[:: -(-len(points) // 64)].median(0).values
