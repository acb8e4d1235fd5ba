"""How much of a box has low energy: little where an energy tells, all where it collapsed."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import one_number, require_counts
from ebmlab._kinds import require_real
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.prediction.chunked import require_uncoupled
from ebmlab.types import Potential, Rng, as_potential

__all__ = ["Volume", "low_energy_volume"]

_CHUNK = 2**14


class Volume(NamedTuple):
    """A volume and its standard error, in float64."""

    volume: Tensor
    standard_error: Tensor


@torch.no_grad()
def low_energy_volume(
    u: Callable[[Tensor], Tensor],
    threshold: float | Tensor,
    lo: Tensor,
    hi: Tensor,
    *,
    points: int = 2**16,
    rng: Rng = None,
) -> Volume:
    """|{y in the box : u(y) <= τ}|: where energies are low at the data, a measure of collapse.

    With τ an upper quantile of the data's own energies (`calibrate`), a collapsed energy has the
    whole box, and one that tells has about the volume of what the data fill. With rng, points are
    uniform draws and the standard error is the binomial one. Without, they are centers of a grid's
    cells, in up to three dimensions; its error is as if every face between a cell inside and one
    outside were wrong by half a cell at random.

    Args:
        u: a potential, (n, *event) -> (n,).
        threshold: τ.
        lo: the lower corner, the shape of one y.
        hi: the upper corner.
        points: how many y are tried, at least 16; a grid has the nearest power of its sides.
        rng: draws them; None takes a grid.

    Raises:
        ShapeError: corners differ in shape, or have more than three entries for a grid.
        ConfigurationError: lo < hi fails, points < 16, or u couples its rows.
        NonFiniteError: an energy is NaN.

    Example:
        >>> corner = torch.ones(2, dtype=torch.float64)
        >>> disk = low_energy_volume(lambda y: y.square().sum(-1), 1.0, -corner, corner)
        >>> bool((disk.volume - torch.pi).abs() < 3 * disk.standard_error)
        True
    """
    u = as_potential(u)
    _require_box(lo, hi, points)
    threshold = one_number("threshold", threshold)
    if isinstance(u.origin, Energy):
        require_uncoupled(u.origin)
    if rng is None:
        return _on_grid(u, threshold, lo, hi, points)
    inside = torch.cat([_below(u, y, threshold) for y in _draws(lo, hi, points, rng)])
    share, box = inside.double().mean(), (hi - lo).double().prod()
    return Volume(box * share, box * (share * (1 - share) / points).sqrt())


def _on_grid(
    u: Potential, threshold: float | Tensor, lo: Tensor, hi: Tensor, points: int
) -> Volume:
    d = lo.numel()
    if d > 3:
        raise ShapeError(
            f"lo has shape {tuple(lo.shape)}, {d} dimensions: a grid takes up to 3, so pass "
            "rng=… for random points"
        )
    side = round(points ** (1 / d))
    inside = torch.cat([_below(u, y, threshold) for y in _centers(lo, hi, side)])
    inside = inside.reshape([side] * d)
    cell = (hi - lo).double().prod() / side**d
    faces = torch.stack([inside.diff(dim=axis).sum() for axis in range(d)]).sum()
    return Volume(cell * inside.sum(), 0.5 * cell * faces.double().sqrt())


def _below(u: Potential, y: Tensor, threshold: float | Tensor) -> Tensor:
    energy = u(y)
    if bool(energy.isnan().any()):
        row = int(energy.isnan().int().argmax())
        raise NonFiniteError(
            f"u is NaN at y = {y[row].flatten()[:4].tolist()}; mend u, or the box"
        )
    return energy <= threshold


def _draws(lo: Tensor, hi: Tensor, points: int, rng: torch.Generator) -> Iterator[Tensor]:
    for first in range(0, points, _CHUNK):
        shape = (min(_CHUNK, points - first), *lo.shape)
        share = torch.rand(shape, generator=rng, dtype=lo.dtype, device=lo.device)
        yield lo + (hi - lo) * share


def _centers(lo: Tensor, hi: Tensor, side: int) -> Iterator[Tensor]:
    """Centers of cells, the last axis fastest."""
    d = lo.numel()
    places = (torch.arange(side, device=lo.device).to(lo.dtype) + 0.5) / side
    for index in torch.arange(side**d, device=lo.device).split(_CHUNK):
        at = torch.stack([index // side**axis % side for axis in reversed(range(d))], dim=-1)
        yield lo + (hi - lo) * places[at].reshape(-1, *lo.shape)


def _require_box(lo: Tensor, hi: Tensor, points: int) -> None:
    require_real(lo=lo, hi=hi)
    if lo.shape != hi.shape or lo.numel() == 0:
        raise ShapeError(
            f"lo has shape {tuple(lo.shape)}, hi {tuple(hi.shape)}; both have that of one y"
        )
    require_counts(16, points=points)
    if not bool(((lo < hi) & (hi - lo).isfinite()).all()):
        raise ConfigurationError(
            f"lo is {lo.flatten()[:4].tolist()}, hi {hi.flatten()[:4].tolist()}; they must be "
            "finite, and lo below hi"
        )
