"""How far two samples are from one law, and whether chance explains it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_device, require_generator, require_positive
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_tensors
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError

__all__ = ["TwoSampleTest", "mmd", "mmd_test"]

_MEDIAN_OF = 1000
Bandwidth = float | Sequence[float] | None


class TwoSampleTest(NamedTuple):
    """The statistic, and how often chance alone reaches it; both 0-d float64 tensors."""

    statistic: Tensor
    p_value: Tensor


def mmd(x: Tensor, y: Tensor, *, bandwidth: Bandwidth = None, chunk: int = 2048) -> Tensor:
    """The squared maximum mean discrepancy of two samples, unbiased.

    MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) - 2 mean_{i,j} k(x_i, y_j), with
    k(x, y) = exp(-‖x - y‖²/2σ²), or the mean of such kernels over several σ. For samples of one
    law its mean is 0, so it may be negative.

    Args:
        x: (n, *event), n >= 2.
        y: (m, *event), m >= 2, on the device of x.
        bandwidth: σ > 0, in the units of the points, or several; None takes the median distance
            among the points of both (of at most 1000 of them, spread over all radii).
        chunk: memory is that of a few chunk² matrices.

    Returns:
        MMD² as a 0-d float64 tensor, at most 2.

    Raises:
        ShapeError: fewer than two points, or events that differ.
        DeviceError: x and y are on different devices.
        NonFiniteError: a point is NaN or infinite.
        ConfigurationError: a bandwidth is not positive, or the median distance is 0.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 500, 3, generator=rng)
        >>> bool(mmd(x, y).abs() < 0.01), bool(mmd(x, y + 1) > 0.1)
        (True, True)

    Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola 2012, "A kernel two-sample test".
    """
    points = _pooled(x, y)
    belongs = (torch.arange(len(points), device=x.device) < len(x)).double()[:, None]
    return _statistics(points, belongs, _widths(points, bandwidth), chunk)[0]


def mmd_test(
    x: Tensor,
    y: Tensor,
    *,
    rng: torch.Generator,
    permutations: int = 500,
    bandwidth: Bandwidth = None,
    chunk: int = 2048,
) -> TwoSampleTest:
    """Test whether two samples come from one law: MMD², and its p-value by permutations.

    p = (1 + #{permuted >= observed}) / (1 + permutations): for independent points of one law it is
    at most α with probability at most α, however many points there are. Draws of a chain depend on
    each other: thin them first. All permutations share one pass over the kernel.

    The smallest p-value is 1 / (1 + permutations). Other arguments and errors are those of `mmd`.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> x, y = torch.randn(2, 100, 3, generator=rng)
        >>> bool(mmd_test(x, y + 1, rng=rng).p_value < 0.01)
        True

    Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola 2012, "A kernel two-sample test".
    """
    points = _pooled(x, y)
    rng = require_generator(rng, "mmd_test", points.device)
    require_counts(permutations=permutations)
    order = torch.rand(len(points), permutations, generator=rng, device=points.device).argsort(0)
    observed = torch.arange(len(points), device=points.device)[:, None]
    belongs = (torch.cat([observed, order], 1) < len(x)).double()
    found = _statistics(points, belongs, _widths(points, bandwidth), chunk)
    # Permutations that change nothing but the order of a sum must count as reached.
    reached = found[1:] >= found[0] - 1e-12
    return TwoSampleTest(found[0], (1 + reached.sum()).double() / (1 + permutations))


def _pooled(x: Tensor, y: Tensor) -> Tensor:
    """Both samples as rows (n + m, d) in float64, around their mean."""
    require_tensors(x=x, y=y)
    for name, t in (("x", x), ("y", y)):
        if t.ndim < 1 or len(t) < 2 or t[0].numel() == 0 or t.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"{name} has shape {tuple(t.shape)}; expected x (n, *event) and y (m, *event), "
                "with two points each at least"
            )
        require_device("x", x.device, {name: t})
        if not bool(t.isfinite().all()):
            raise NonFiniteError(f"{name} {tuple(t.shape)} holds NaN or infinity; leave it out")
    points = torch.cat([t.detach().reshape(len(t), -1).double() for t in (x, y)])
    return points - points.mean(0)


def _widths(points: Tensor, bandwidth: Bandwidth) -> Sequence[float]:
    if bandwidth is None:
        # By radius, so that the choice does not tell x from y: permutation tests stay exact.
        order = points.square().sum(1).argsort()
        few = points[order[:: -(-len(points) // _MEDIAN_OF)]]
        median = float(torch.pdist(few).median())
        if median == 0:
            raise ConfigurationError(
                "most points of x and y coincide: their median distance is 0; pass bandwidth"
            )
        return [median]
    widths = list(bandwidth) if isinstance(bandwidth, Sequence) else [bandwidth]
    if not widths:
        raise ConfigurationError("bandwidth is empty; pass at least one")
    for width in widths:
        require_positive("bandwidth", width)
    return widths


def _statistics(points: Tensor, belongs: Tensor, widths: Sequence[float], chunk: int) -> Tensor:
    """MMD² (b,) of points (N, d) for each way (N, b) to say which of them are x: 1, the rest 0."""
    require_counts(chunk=chunk)
    tiles = list(zip(points.split(chunk), belongs.split(chunk), strict=True))
    degrees = [points.new_zeros(len(part)) for part, _ in tiles]
    xx = points.new_zeros(belongs.shape[1])
    for i, (p, a) in enumerate(tiles):
        for j, (q, b) in enumerate(tiles[: i + 1]):
            kernel = _gaussians(p, q, widths)
            if i == j:
                kernel.fill_diagonal_(0)
            else:
                degrees[j] += kernel.sum(0)
            degrees[i] += kernel.sum(1)
            # A tile below the diagonal stands for its mirror image too.
            xx += (1 if i == j else 2) * (a * (kernel @ b)).sum(0)
    degree = torch.cat(degrees)
    xy = degree @ belongs - xx
    yy = degree.sum() - 2 * xy - xx
    n = belongs[:, 0].sum()
    m = len(points) - n
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def _gaussians(x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    squared = squared_distances(x, y)
    return torch.stack([(-squared / (2 * width**2)).exp() for width in widths]).mean(0)
