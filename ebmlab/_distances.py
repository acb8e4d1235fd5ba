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
    origin = _middle(y.detach())
    a, b = x.double() - origin, y.double() - origin
    norms = torch.linalg.vecdot(a, a)[:, None] + torch.linalg.vecdot(b, b)
    products = torch.addmm(norms, a, b.mT, alpha=-2)
    # What rounding takes below 0 is mended in place: the slope there is as good as elsewhere.
    products.detach().clamp_(min=0)
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
        least = (1 - unit) * torch.linalg.vecdot(b, b)[:, None]
        numbers = torch.arange(len(y), dtype=x.dtype, device=x.device)
        count = torch.stack([torch.ones_like(numbers), numbers])
        near = [count @ _shares(p - origin, b, least, unit) for p in x.split(size)]
        rivals, best = torch.cat(near, 1)
        # NaN is doubtful too.
        doubtful = (rivals != 1).nonzero()[:, 0]
        best = best.nan_to_num().long()
        for rows in doubtful.split(size):
            away = torch.cdist(x[rows], y, compute_mode="donot_use_mm_for_euclid_dist")
            best[rows] = away.argmin(1)
    return best


def _shares(a: Tensor, b: Tensor, least: Tensor, unit: float) -> Tensor:
    """1 for the row of b with the lowest bound, 0 for those beyond rounding, between for the rest.

    Of b (m, d) and each a (n, d): (m, n), overwritten in place, as memory is what takes time.
    """
    low, reach = torch.addmm(least, b, a.mT, alpha=-2), torch.linalg.vecdot(a, a)
    lowest = low.amin(0)
    # ‖b‖² of the lowest is at most twice ‖a‖² and their squared distance together.
    slack = 2 * unit * (3 * reach + 2 * (lowest + reach).clamp(min=0))
    one = torch.ones_like(reach[:1])
    return torch.addcmul(one, low.sub_(lowest), -1 / slack, out=low).clamp_(min=0)


def _middle(points: Tensor) -> Tensor:
    """A point in the midst of most, which no outlier moves: products round least about it."""
    return points[:: -(-len(points) // 64)].median(0).values
