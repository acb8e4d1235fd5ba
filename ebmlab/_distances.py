"""Squared distances of many pairs by products of matrices, where their rounding does no harm."""

import torch
from torch import Tensor

from ebmlab._precise import precise, precise_type

__all__ = ["nearest_rows", "squared_distances"]

# Products held at a time while the nearest are sought: what stays in the processor's cache.
_BLOCK = {"cpu": 2**17}
_LARGE_BLOCK = 2**24


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """‖x_i - y_j‖² of all rows of x (n, d) and y (m, d): (n, m), never below 0.

    Single precision is multiplied in double, where ‖x‖² - 2 x·y + ‖y‖² is as exact as the points.

    Example:
        >>> squared_distances(torch.tensor([[1e4], [1e4 + 1]]), torch.tensor([[1e4]])).T
        tensor([[0., 1.]])
    """
    origin = y.detach().median(0).values
    a, b = (x - origin).double(), (y - origin).double()
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
    size = _BLOCK.get(x.device.type, _LARGE_BLOCK) // len(y)
    with torch.autocast(x.device.type, enabled=False):
        origin = y.median(0).values
        b = y - origin
        norms = torch.linalg.vecdot(b, b)
        # What the sums of d products, and the differences from the origin, round off at most.
        unit = (x.shape[1] + 8) * torch.finfo(x.dtype).eps
        found = [_candidates(p - origin, b, norms, unit) for p in x.split(max(1, size))]
        best, close = (torch.cat(part) for part in zip(*found, strict=True))
        doubtful = close.nonzero()[:, 0]
        for rows in doubtful.split(max(1, size)):
            away = torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist")
            best[rows] = away.argmin(1)
    return best


def _candidates(a: Tensor, b: Tensor, norms: Tensor, unit: float) -> tuple[Tensor, Tensor]:
    """The nearest row by the product, and whether another is as near but for rounding (n,)."""
    # Lower bounds, up to a number of the row.
    low = torch.addmm((1 - unit) * norms, a, b.mT, alpha=-2)
    least, best = low.min(1)
    limit = least + 2 * unit * (norms[best] + torch.linalg.vecdot(a, a))
    second = low.scatter_(1, best[:, None], torch.inf).amin(1)
    # NaN is doubtful too.
    return best, ~(second > limit)
