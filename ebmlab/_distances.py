"""Squared distances of many pairs by products of matrices, where their rounding does no harm."""

import torch
from torch import Tensor

from ebmlab._precise import precise, precise_type
from ebmlab._tracing import unseen

__all__ = ["nearest_rows", "own_distances", "rows_at_once", "squared_distances"]

# Numbers worked on at a time: what stays in the processor's cache.
_BLOCK = {"cpu": 2**17}
_LARGE_BLOCK = 2**24
# Squared distances that rounding spoils, as shares of what they are the difference of.
_CLOSE = 2.0**-24
# Where more than one in so many pairs is doubtful, all are compared.
_DENSE = 16


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """‖x_i - y_j‖² of all rows of x (n, d) and y (m, d): (n, m), never below 0.

    Single precision is multiplied in double, where ‖x‖² - 2 x·y + ‖y‖² is as exact as the points;
    of double precision, pairs that are close for how far they lie out are taken by differences.

    Example:
        >>> squared_distances(torch.tensor([[1e4], [1e4 + 1]]), torch.tensor([[1e4]])).T
        tensor([[0., 1.]])
    """
    origin = _middle(y.detach())
    a, b = x.double() - origin, y.double() - origin
    of_a, of_b = (torch.linalg.vecdot(t, t)[:, None] for t in (a, b))
    # One product of wider rows: (n, m) is the size that costs.
    wide = torch.cat([-2 * a, of_a, torch.ones_like(of_a)], 1)
    products = wide @ torch.cat([b, torch.ones_like(of_b), of_b], 1).mT
    kind = precise_type(torch.promote_types(x.dtype, y.dtype))
    if kind == torch.float64 and not unseen(x):
        close = products.detach() < _CLOSE * (of_a + of_b.mT)
        if bool(close.any()):
            row, number = close.nonzero(as_tuple=True)
            found = own_distances(x.double().index_select(0, row), y.double(), number)
            products = products.index_put((row, number), found)
    # What rounding takes below 0 is mended in place: the slope there is as good as elsewhere.
    products.detach().clamp_(min=0)
    return products.to(kind)


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
    if unseen(x):
        return _apart(x, y).argmin(1)
    size = rows_at_once(x, len(y))
    # What the sums of d products, and the differences from the origin, round off at most.
    unit = (x.shape[1] + 8) * torch.finfo(x.dtype).eps
    with torch.autocast(x.device.type, enabled=False):
        origin = _middle(y)
        b = y - origin
        least = (1 - unit) * torch.linalg.vecdot(b, b)[:, None]
        numbers = torch.arange(len(y), dtype=x.dtype, device=x.device)
        count = torch.stack([torch.ones_like(numbers), numbers])
        held = x.new_empty(len(y) * min(size, len(x)))
        found = []
        for part in x.split(size):
            shares = _shares(part - origin, b, least, unit, held)
            rivals, best = count @ shares
            # NaN is doubtful too.
            sure = bool((rivals == 1).all())
            found.append(best.long() if sure else _decided(part, y, shares))
    return torch.cat(found)


def _decided(x: Tensor, y: Tensor, shares: Tensor) -> Tensor:
    """The nearest by differences, of those rows of y that have shares (m, n)."""
    number, row = shares.nonzero(as_tuple=True)
    if len(row) > shares.numel() // _DENSE:
        return _apart(x, y).argmin(1)
    size = rows_at_once(x)
    each = zip(number.split(size), row.split(size), strict=True)
    ways = torch.cat([own_distances(x.index_select(0, i), y, j) for j, i in each])
    least = x.new_full((len(x),), torch.inf).scatter_reduce(0, row, ways, "amin")
    # Of NaN alone, the last is as good as any.
    first = number.where(ways == least.index_select(0, row), len(y) - 1)
    return row.new_full((len(x),), len(y) - 1).scatter_reduce(0, row, first, "amin")


def _apart(x: Tensor, y: Tensor) -> Tensor:
    """‖x_i - y_j‖ by differences: (n, m)."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def own_distances(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """‖x_i - y_j‖² of each row of x (n, d) and one row j of y (m, d), by differences: (n,).

    Example:
        >>> own_distances(torch.ones(3, 2), torch.zeros(1, 2), torch.tensor([0, 0, 0]))
        tensor([2., 2., 2.])
    """
    graph = torch.is_grad_enabled() and (x.requires_grad or y.requires_grad)
    size = len(x) if graph else rows_at_once(x)
    each = zip(x.split(size), index.split(size), strict=True)
    return torch.cat([(precise(y.index_select(0, j)) - p).square().sum(1) for p, j in each])


def rows_at_once(x: Tensor, width: int = 1) -> int:
    """How many rows of x (n, d), with `width` numbers made of each, are worked on at a time."""
    return max(1, _BLOCK.get(x.device.type, _LARGE_BLOCK) // max(width, x.shape[1]))


def _shares(a: Tensor, b: Tensor, least: Tensor, unit: float, held: Tensor) -> Tensor:
    """1 for the row of b with the lowest bound, 0 for those beyond rounding, between for the rest.

    Of b (m, d) and each a (n, d): (m, n), in memory that is held, as new memory takes time.
    """
    low, reach = held[: len(b) * len(a)].view(len(b), -1), torch.linalg.vecdot(a, a)
    lowest = torch.addmm(least, b, a.mT, alpha=-2, out=low).amin(0)
    # What both bounds may be off: ‖b‖² of the lowest is at most 2 ‖a‖² + 2 ‖a - b‖².
    slack = reach + 0.4 * lowest
    ahead = low.sub_(lowest)
    return torch.addcdiv(low.new_ones(1), ahead, slack, value=-0.1 / unit, out=low).clamp_(min=0)


def _middle(points: Tensor) -> Tensor:
    """A point in the midst of most, which no outlier moves: products round least about it."""
    return points[:: -(-len(points) // 64)].median(0).values
