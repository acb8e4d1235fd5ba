"""Draws of chains, coordinate by coordinate: checked, split, ranked."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ebmlab._kinds import require_tensors
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = [
    "ascending",
    "halves",
    "moments",
    "normal_scores",
    "per_coordinate",
    "quantiles",
    "require_draws",
]

LEAST = 4
_BLOCK = 1 << 18


def require_draws(samples: Tensor, name: str = "samples", least: int = LEAST) -> None:
    """Raise unless samples are finite (draws, chains, *event), of `least` draws or more."""
    require_tensors(**{name: samples})
    shape = tuple(samples.shape)
    if len(shape) < 2 or 0 in shape[1:]:
        raise ShapeError(
            f"{name} has shape {shape}; expected (draws, chains, *event), as run(…, thin=1) keeps "
            "them; one chain alone is samples[:, None]"
        )
    if shape[0] < least:
        raise ShapeError(
            f"{name} has shape {shape}: {shape[0]} draws of {shape[1]} chains, but at least "
            f"{least} are needed; run more steps, or with thin=1"
        )
    bad = ~samples.isfinite()
    if bad.any():
        draw, chain, *event = bad.nonzero()[0].tolist()
        raise NonFiniteError(
            f"{name} {shape} holds NaN or infinity, first at draw {draw} of chain {chain}, "
            f"coordinate {tuple(event)}; leave such draws out, or mend the sampler"
        )


def per_coordinate(
    samples: Tensor, statistic: Callable[[Tensor], Tensor], least: int = LEAST
) -> Tensor:
    """Apply a statistic of blocks of coordinates: (draws, chains, *event) -> (*out, *event).

    Args:
        samples: draws of any dtype; the computation is in float64 on their device.
        statistic: (coordinates, chains, draws) -> (*out, coordinates). Blocks are small enough for
            images of many pixels.
        least: how many draws are needed.

    Example:
        >>> samples = torch.arange(24.0).reshape(4, 2, 3)
        >>> per_coordinate(samples, lambda x: x.mean((1, 2)))
        tensor([10.5000, 11.5000, 12.5000], dtype=torch.float64)
    """
    require_draws(samples, least=least)
    draws, chains = samples.shape[:2]
    columns = samples.detach().reshape(draws, chains, -1)
    blocks = columns.split(max(1, _BLOCK // (draws * chains)), -1)
    parts = [statistic(block.permute(2, 1, 0).double().contiguous()) for block in blocks]
    out = torch.cat(parts, -1)
    return out.reshape(out.shape[:-1] + samples.shape[2:])


def halves(x: Tensor) -> Tensor:
    """Each chain as two, its first and its last half: (…, chains, n) -> (…, 2 chains, n // 2)."""
    half = x.shape[-1] // 2
    return torch.cat([x[..., :half], x[..., -half:]], -2)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (over n - 1) of each chain; the variance of a constant chain is 0."""
    # A mean of equal numbers may be off by a rounding error; that of zeros is exact.
    away = x - x[..., :1]
    return x[..., 0] + away.mean(-1), away.var(-1)


def normal_scores(x: Tensor) -> Tensor:
    """Φ⁻¹((rank - 3/8) / (N + 1/4)) over all N draws of a coordinate; ties share their mean rank.

    Source: Blom 1958; Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """
    flat = x.flatten(1)
    order = torch.from_numpy(np.argsort(flat.numpy(), 1)) if flat.is_cpu else flat.argsort(1)
    values, n = flat.gather(1, order), flat.shape[1]
    place = torch.arange(n, device=x.device).expand_as(values)
    apart = values[:, 1:] != values[:, :-1]
    edge = torch.ones_like(apart[:, :1])
    first = torch.where(torch.cat([edge, apart], 1), place, 0).cummax(1).values
    last = torch.where(torch.cat([apart, edge], 1), place, n).flip(1).cummin(1).values.flip(1)
    rank = 0.5 * (first + last).double() + 1
    quantiles = torch.special.ndtri((rank - 0.375) / (n + 0.25))
    return torch.empty_like(values).scatter_(1, order, quantiles).reshape(x.shape)


def ascending(x: Tensor) -> Tensor:
    """All draws of each coordinate, sorted: (coordinates, chains, draws) -> (coordinates, N)."""
    flat = x.flatten(1)
    # On one core numpy sorts several times faster than torch.
    return torch.from_numpy(np.sort(flat.numpy(), 1)) if flat.is_cpu else flat.sort(1).values


def quantiles(values: Tensor, probabilities: tuple[float, ...]) -> Tensor:
    """Quantiles of sorted rows (rows, n), linear between order statistics: (q, rows)."""
    last = values.shape[1] - 1
    places = [(int(p * last), p * last % 1) for p in probabilities]
    # lerp goes from the nearer end, so that a tie of both is met exactly.
    return torch.stack(
        [values[:, i].lerp(values[:, min(i + 1, last)], share) for i, share in places]
    )


def coordinate_names(names: Sequence[str] | None, event: torch.Size) -> tuple[str, ...]:
    """The names given, one per coordinate of an event, or else its places: y[0], y[1].

    Example:
        >>> coordinate_names(None, torch.Size([1, 2]))
        ('y[0, 0]', 'y[0, 1]')
    """
    if names is None:
        if not event:
            return ("y",)
        return tuple(f"y[{', '.join(map(str, place))}]" for place in np.ndindex(*event))
    if len(names) != event.numel():
        raise ShapeError(
            f"names holds {len(names)}, but an event of shape {tuple(event)} has {event.numel()} "
            "coordinates; give one name each, in the order of y.flatten()"
        )
    return tuple(names)
