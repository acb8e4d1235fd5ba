"""Whether two angles are one, up to where 0 lies and which way they turn."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab._kinds import require_real
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["CircularCorrelation", "circular_correlation"]


class CircularCorrelation(NamedTuple):
    """What `circular_correlation` finds.

    Attributes:
        correlation: Jammalamadaka and SenGupta's, in [-1, 1]; negative where the angles turn
            opposite ways.
        match: mean cosine of what is left once b is turned, and reflected where that is better,
            onto a: 1 for one angle, near 0 for none.
        reflected: whether it was.
        offset: o, in (-π, π]: a = o + b, or o - b where reflected.
    """

    correlation: float
    match: float
    reflected: bool
    offset: float


@torch.no_grad()
def circular_correlation(a: Tensor, b: Tensor) -> CircularCorrelation:
    """r = Σ sin(a - ā) sin(b - b̄) / √(Σ sin²(a - ā) Σ sin²(b - b̄)), ā and b̄ the mean directions.

    Where angles are uniform the mean directions are chance, and r suffers; `match` does not. Where
    those of one do not vary, r is NaN.

    Args:
        a: angles (n,) in radians, or points (n, 2) whose directions count.
        b: likewise.

    Raises:
        ShapeError, DtypeError, DeviceError: they are no such numbers, one for each.
        NonFiniteError: one is NaN or infinite.

    Example:
        >>> a = torch.linspace(0, 6, 50)
        >>> found = circular_correlation(a, 1 - a)
        >>> round(found.correlation, 3), round(found.match, 3), found.reflected
        (-1.0, 1.0, True)
        >>> round(found.offset, 3)
        1.0

    Source: Jammalamadaka, SenGupta 2001, "Topics in circular statistics", section 8.2.
    """
    require_real(a=a, b=b)
    require_device("b", b.device, {"a": a})
    a, b = _angles("a", a), _angles("b", b)
    if a.shape != b.shape:
        raise ShapeError(f"a holds {len(a)} angles, b {len(b)}; one for each")
    sine_a, sine_b = (a - _mean(a)).sin(), (b - _mean(b)).sin()
    size = (sine_a.square().sum() * sine_b.square().sum()).sqrt()
    ways = torch.stack([torch.polar(torch.ones_like(a), a + sign * b).mean() for sign in (-1, 1)])
    best = int(ways.abs().argmax())
    return CircularCorrelation(
        float((sine_a * sine_b).sum() / size),
        float(ways[best].abs()),
        bool(best),
        float(ways[best].angle()),
    )


def _mean(a: Tensor) -> Tensor:
    return torch.atan2(a.sin().sum(), a.cos().sum())


def _angles(name: str, t: Tensor) -> Tensor:
    if t.ndim == 2 and t.shape[1] == 2:
        t = torch.atan2(t[:, 1].double(), t[:, 0].double())
    if t.ndim != 1 or len(t) < 2:
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}; expected angles (n,) or points (n, 2), n >= 2"
        )
    if not bool(t.isfinite().all()):
        raise NonFiniteError(f"{name} {tuple(t.shape)} holds NaN or infinity")
    return t.double()
