"""`Estimate`: a log Z, how far to trust it, and which side of the truth it is on."""

import math
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["Estimate", "Side"]

Side = Literal["exact", "lower", "upper"]


class Estimate(NamedTuple):
    """An estimate of log Z = log ∫ exp(-u(y)) dy; numbers are 0-d tensors of float64.

    Where there are several potentials, one for each datum of a batch, numbers are (*batch).

    Attributes:
        log_z: the estimate, in nats.
        standard_error: of `log_z`, in nats; 0 where nothing is approximated. For quadrature the
            difference of two resolutions.
        effective_sample_size: how many equal weights these are worth; ∞ where nothing is sampled.
        bound: "exact"; or "lower" or "upper": which side of log Z the mean of `log_z` lies on.
        log_weights: (chains, *batch), where there are any; the mean of their exponentials is Z,
            or 1 / Z for an upper bound.

    Example:
        >>> Estimate.from_weights(torch.tensor([1.0, 1.0])).log_z
        tensor(1., dtype=torch.float64)
    """

    log_z: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor
    bound: Side
    log_weights: Tensor | None = None

    @classmethod
    def exact(cls, log_z: Tensor, error: Tensor | None = None) -> Self:
        """A sum over everything; `error` is that of the rule, None for 0."""
        error = torch.zeros_like(log_z) if error is None else error
        return cls(log_z, error, torch.full_like(log_z, torch.inf), "exact")

    @classmethod
    def from_weights(cls, log_weights: Tensor) -> Self:
        """log of the mean of independent weights (chains, *batch) whose expectation is Z.

        By Jensen's inequality it bounds log Z from below in expectation. The standard error is
        the delta method's: that of the mean weight, relative to it.

        Raises:
            ShapeError: there are fewer than two weights.
            NonFiniteError: a weight is NaN or +∞, or all are zero.
        """
        log_mean, error, size = _mean(log_weights)
        return cls(log_mean, error, size, "lower", log_weights)

    @classmethod
    def from_inverse_weights(cls, log_weights: Tensor) -> Self:
        """Minus log of the mean of independent weights (chains, *batch) of expectation 1 / Z.

        It bounds log Z from above in expectation; errors are those of `from_weights`.
        """
        log_mean, error, size = _mean(log_weights)
        return cls(-log_mean, error, size, "upper", log_weights)


def _mean(log_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the mean weight, its standard error, and the effective sample size."""
    if log_weights.ndim < 1 or len(log_weights) < 2:
        raise ShapeError(
            f"log_weights has shape {tuple(log_weights.shape)}; a standard error takes two or "
            "more independent chains, (chains, *batch)"
        )
    n = len(log_weights)
    log_weights = log_weights.double()
    log_mean = log_weights.logsumexp(0) - math.log(n)
    if not bool(log_mean.isfinite().all()):
        bad = float(log_mean[~log_mean.isfinite()][0])
        raise NonFiniteError(
            f"the log of the mean weight is {bad}: energies along the way were NaN or "
            "-∞, or infinite at every chain; the start must cover the target, and the target be "
            "finite where chains go"
        )
    relative = (log_weights - log_mean).exp()
    return log_mean, relative.std(0) / math.sqrt(n), n**2 / relative.square().sum(0)
