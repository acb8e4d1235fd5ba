"""What encoders of z give: a point, or the mean and log standard deviation of a Gaussian."""

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_generator, require_one_kind
from ebmlab._events import numbered
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Rng, Tree

__all__ = ["encoded", "gaussian_noise", "require_log_std"]


def encoded(encoder: nn.Module, energy: Energy, x: Tree, y: Tree) -> tuple[Tensor, Tensor | None]:
    """The encoder's point or mean, and its log std where it gives one: (*batch, dim) each.

    The encoder is called with (x, y), or with y alone where no x is taken or there; and, where
    some parts of z are held, with these after y.
    """
    inputs = numbered("y", y, energy.y_ndim)
    if energy.takes_x and x is not None:
        inputs = numbered("x", x, energy.x_ndim) | inputs
    require_one_kind(encoder, {"y": y})
    out = over_batch(encoder, *inputs.values(), names=list(inputs))
    return out if isinstance(out, tuple) else (out, None)


def require_log_std(log_std: Tensor | None) -> Tensor:
    """Raise where an encoder gives a point and a distribution is needed."""
    if log_std is None:
        raise ConfigurationError(
            "temperature > 0 needs a distribution: let the encoder return (mean, log_std)"
        )
    return log_std


def gaussian_noise(mean: Tensor, samples: int, rng: Rng, who: str) -> Tensor:
    """Standard normal draws (samples, *batch, dim) for a mean (*batch, dim)."""
    rng = require_generator(rng, who, mean.device)
    shape = (samples, *mean.shape)
    return torch.randn(shape, generator=rng, dtype=mean.dtype, device=mean.device)
