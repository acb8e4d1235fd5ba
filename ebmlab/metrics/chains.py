"""Whether chains have mixed, and how precise their averages are.

All take samples (draws, chains, *event), as `run(…, thin=1)` keeps them, and return the event's
shape in float64.
"""

import torch
from torch import Tensor

from ebmlab.metrics.autocorrelation import effective
from ebmlab.metrics.coordinates import (
    ascending,
    halves,
    moments,
    normal_scores,
    per_coordinate,
    quantiles,
)

__all__ = ["ess", "ess_mean", "ess_std", "ess_tail", "mcse", "mcse_std", "rhat"]


def rhat(samples: Tensor) -> Tensor:
    """Rank-normalized split R-hat: how much wider all chains are than each; 1 is mixed.

    R = √((n - 1)/n + Var(means) / mean(variances)) over half-chains of n draws, taken of the
    normal quantiles of the draws (chains that differ in place) and of those of |y - median|
    (chains that differ in width); the larger of the two. Above 1.01 the chains have not mixed.

    Args:
        samples: (draws, chains, *event), at least 4 draws. A single chain's first half is compared
            with its second.

    Returns:
        (*event) in float64. A constant coordinate has NaN; chains that each stand still at places
        of their own have ∞.

    Raises:
        ShapeError: samples have another shape, or fewer than 4 draws.
        NonFiniteError: a draw is NaN or infinite.

    Example:
        >>> samples = torch.randn(500, 4, 1, generator=torch.Generator().manual_seed(0))
        >>> apart = samples + torch.tensor([0.0, 0.0, 0.0, 3.0])[:, None]
        >>> bool(rhat(samples) < 1.01), bool(rhat(apart) > 1.3)
        (True, True)

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """

    def of_ranks(x: Tensor) -> Tensor:
        x = halves(x)
        values = ascending(x)
        middle = values.shape[1] // 2
        median = 0.5 * (values[:, middle - 1] + values[:, middle])
        bulk = _scale_reduction(normal_scores(x))
        tail = _scale_reduction(normal_scores((x - median[:, None, None]).abs()))
        return bulk.fmax(tail).where(values[:, 0] < values[:, -1], torch.nan)

    return per_coordinate(samples, of_ranks)


def _scale_reduction(x: Tensor) -> Tensor:
    mean, variance = moments(x)
    n = x.shape[-1]
    return (mean.var(1) / variance.mean(1) + (n - 1) / n).sqrt()


def ess(samples: Tensor) -> Tensor:
    """The effective sample size of the bulk: of the normal quantiles of the draws, in half-chains.

    It exists where the mean does not, and tells how well the center of a coordinate's law is
    known; for the extremes see `ess_tail`. Of an odd number of draws the middle one is left out.
    Antithetic chains exceed the number N of draws, up to N log10 N; a constant coordinate has N.
    Trust R-hat and the standard errors from about 100 per chain on. Arguments, result and errors
    are those of `rhat`.

    Example:
        >>> samples = torch.randn(500, 4, 2, generator=torch.Generator().manual_seed(0))
        >>> (ess(samples) > 1500).tolist()
        [True, True]

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """
    return per_coordinate(samples, lambda x: effective(normal_scores(halves(x))))


def ess_tail(samples: Tensor) -> Tensor:
    """The effective sample size of the tails: the smaller of those for the 5 % and 95 % quantiles.

    That of a quantile q is that of the mean of 1[y <= q]. Arguments, result and errors are those
    of `ess`.

    Example:
        >>> samples = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
        >>> bool(ess_tail(samples) > 1000)
        True

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """

    def of_tails(x: Tensor) -> Tensor:
        edges = quantiles(ascending(x), (0.05, 0.95))
        return torch.minimum(*(_of_mean((x <= edge[:, None, None]).double()) for edge in edges))

    return per_coordinate(samples, of_tails)


def ess_mean(samples: Tensor) -> Tensor:
    """The effective sample size of the mean: of the draws themselves, in half-chains.

    It means something only where the variance is finite. Arguments, result and errors are those of
    `ess`.

    Example:
        >>> ess_mean(torch.ones(6, 2))
        tensor(12., dtype=torch.float64)
    """
    return per_coordinate(samples, _of_mean)


def ess_std(samples: Tensor) -> Tensor:
    """The effective sample size of the standard deviation: of (y - ȳ)², in half-chains.

    Arguments, result and errors are those of `ess`.

    Example:
        >>> ess_std(torch.ones(6, 2))
        tensor(12., dtype=torch.float64)
    """
    return per_coordinate(samples, lambda x: _of_mean(_squares(x)))


def mcse(samples: Tensor) -> Tensor:
    """The Monte Carlo standard error of the mean over all draws: std / √ess_mean.

    Arguments and errors are those of `rhat`; the result (*event) is in the units of y, and 0 for a
    constant coordinate.

    Example:
        >>> samples = torch.randn(500, 20, generator=torch.Generator().manual_seed(0))
        >>> mcse(samples).round(decimals=3)
        tensor(0.0100, dtype=torch.float64)
    """
    return per_coordinate(samples, lambda x: (moments(x.flatten(1))[1] / _of_mean(x)).sqrt())


def mcse_std(samples: Tensor) -> Tensor:
    """The Monte Carlo standard error of the standard deviation σ over all draws.

    By the delta method, √(Var((y - ȳ)²) / ess_std) / 2σ. The squares have an effective size of
    their own: for antithetic chains that of the mean is far too large. A constant coordinate has
    NaN; arguments, result and errors are those of `mcse`.

    Example:
        >>> samples = torch.randn(500, 20, generator=torch.Generator().manual_seed(0))
        >>> mcse_std(samples).round(decimals=3)
        tensor(0.0070, dtype=torch.float64)
    """

    def of_std(x: Tensor) -> Tensor:
        squares = _squares(x)
        variance = squares.mean((1, 2))
        spread = squares.square().mean((1, 2)) - variance.square()
        return (spread / _of_mean(squares) / variance / 4).sqrt()

    return per_coordinate(samples, of_std)


def _of_mean(x: Tensor) -> Tensor:
    return effective(halves(x))


def _squares(x: Tensor) -> Tensor:
    away = x - x[:, :1, :1]
    return (away - away.mean((1, 2), keepdim=True)).square()
