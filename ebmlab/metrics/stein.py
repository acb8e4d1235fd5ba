"""How far samples are from a density known up to its constant."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_real
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.types import Potential, as_potential

__all__ = ["ksd"]

_BETA = -0.5


def ksd(
    samples: Tensor, u: Callable[[Tensor], Tensor], *, scale: float = 1.0, chunk: int = 1024
) -> Tensor:
    """The squared kernelized Stein discrepancy of samples from exp(-u), by the U-statistic.

    KSD² = 1/(n(n-1)) Σ_{i≠j} h(y_i, y_j). With the score s = -∇u, r = ‖x - y‖ and the inverse
    multiquadric kernel k = q^β, q = c² + r², β = -1/2 (its slow decay sees samples that leave the
    support, which a Gaussian kernel misses),
    h(x, y) = q^β s(x)·s(y) + 2β q^{β-1} ((x - y)·(s(y) - s(x)) - d) - 4β(β - 1) q^{β-2} r².
    Unbiased: its mean over independent samples of exp(-u) is 0, so it may be negative; no
    normalizing constant and no draws from the density are needed. It hardly sees how mass is
    shared among modes far apart, which no score tells.

    Args:
        samples: (n, *event), n >= 2; those of a run are `chain.samples.flatten(0, 1)`. Draws that
            depend on each other raise the statistic's spread, and near neighbors its mean.
        u: a potential, or any callable (n, *event) -> (n,); it sees the samples' own dtype.
        scale: c > 0, in the units of y: the distance below which two points count as close.
        chunk: how many rows u sees at once; memory is that of a few chunk² matrices.

    Returns:
        KSD² as a 0-d float64 tensor, in 1/(units of y)² and growing with d.

    Raises:
        ShapeError: fewer than two samples.
        NonFiniteError: a sample or a gradient is NaN or infinite.

    Example:
        >>> y = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> bowl = lambda y: 0.5 * y.square().sum(-1)
        >>> bool(ksd(y, bowl).abs() < 0.02), bool(ksd(y + 1, bowl) > 0.5)
        (True, True)

    Source: Gorham, Mackey 2017, arXiv:1703.01717; Liu, Lee, Jordan 2016, arXiv:1602.03253.
    """
    require_positive("scale", scale)
    require_counts(chunk=chunk)
    require_real(samples=samples)
    if samples.ndim < 1 or len(samples) < 2 or samples[0].numel() == 0:
        raise ShapeError(
            f"samples has shape {tuple(samples.shape)}; expected (n, *event) with n >= 2"
        )
    scores = _scores(samples.detach(), as_potential(u), chunk)
    places = samples.detach().reshape(len(samples), -1).double()
    # Products lose digits far from the origin.
    tiles = list(zip((places - places.mean(0)).split(chunk), scores.split(chunk), strict=True))
    total = places.new_zeros(())
    for i, tile in enumerate(tiles):
        own = _stein(*tile, *tile, scale)
        total += own.sum() - own.diagonal().sum()
        for other in tiles[:i]:
            total += 2 * _stein(*tile, *other, scale).sum()
    return total / (len(samples) * (len(samples) - 1))


def _scores(samples: Tensor, u: Potential, chunk: int) -> Tensor:
    """-∇u (n, d) in float64, a chunk at a time."""
    parts = [u.value_and_grad(part)[1] for part in samples.split(chunk)]
    scores = -torch.cat(parts).detach().reshape(len(samples), -1).double()
    bad = ~(scores.isfinite().all(1) & samples.reshape(len(samples), -1).isfinite().all(1))
    if bad.any():
        raise NonFiniteError(
            f"samples {tuple(samples.shape)}: {int(bad.sum())} of them, first row "
            f"{int(bad.nonzero()[0])}, or the gradient of u there, are NaN or infinite; leave "
            "them out, or look at u there"
        )
    return scores


def _stein(x: Tensor, sx: Tensor, y: Tensor, sy: Tensor, scale: float) -> Tensor:
    """h (n, m) of the pairs of rows of x (n, d) and y (m, d)."""
    squared = squared_distances(x, y)
    apart = x @ sy.mT - (y * sy).sum(1) - (x * sx).sum(1)[:, None] + sx @ y.mT
    q = scale**2 + squared
    k = q**_BETA
    slope = 2 * _BETA * (apart - x.shape[1]) - 4 * _BETA * (_BETA - 1) * squared / q
    return k * (sx @ sy.mT + slope / q)
