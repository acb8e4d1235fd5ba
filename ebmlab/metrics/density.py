"""How good a conditional energy of a scalar y is: exact likelihood and branches on a grid.

`grid_energies` computes the energies of all (x_i, grid_j) once; everything else reads them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab._kinds import require_real, require_tensors
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.tempered import likeliest_temperature, lowest

__all__ = [
    "BranchMatches",
    "branch_matches",
    "conditional_nll",
    "fit_temperature",
    "grid_energies",
]


@torch.no_grad()
def grid_energies(energy: Energy, x: Tensor, grid: Tensor, chunk: int = 65536) -> Tensor:
    """E(x_i, grid_j) for every datum and every point of a grid of scalar y, without gradients.

    Args:
        energy: of vectors y with one entry (y_ndim 1).
        x: (n, *event).
        grid: (m,), of x's dtype and device.
        chunk: pairs evaluated at a time; bounds the memory.

    Returns:
        Energies (n, m).

    Raises:
        ShapeError: x or grid is empty, or grid is not (m,).
        ConfigurationError: the energy's y is not a vector.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> x, grid = torch.tensor([[0.0], [1.0]]), torch.tensor([0.0, 2.0])
        >>> grid_energies(SquaredDistance(), x, grid)
        tensor([[0., 4.],
                [1., 1.]])
    """
    if energy.y_ndim != 1:
        raise ConfigurationError(
            f"{type(energy).__name__} has y_ndim {energy.y_ndim}; a grid of scalars needs y_ndim 1"
        )
    require_tensors(x=x, grid=grid)
    if grid.ndim != 1 or x.ndim == 0 or 0 in (len(x), len(grid)):
        raise ShapeError(
            f"x has shape {tuple(x.shape)}, grid {tuple(grid.shape)}; they are (n, *event) and "
            "(m,), neither empty"
        )
    require_counts(chunk=chunk)
    columns = grid[:, None].split(chunk)
    rows = x.unsqueeze(1).split(max(1, chunk // len(grid)))
    return torch.cat(
        [torch.cat([energy(row, column[None]) for column in columns], dim=1) for row in rows]
    )


def conditional_nll(
    energies: Tensor, grid: Tensor, at: Tensor, temperature: float | Tensor
) -> Tensor:
    """-mean log p(y_i | x_i) = mean_i [ E(x_i, y_i)/T + log ∫ exp(-E(x_i, y)/T) dy ] in nats.

    The integral is the trapezoid rule on the grid, in float64: the density is normalized over the
    grid's window, which must hold the data and resolve the energy's narrowest well.

    Args:
        energies: E(x_i, grid_j), (n, m).
        grid: (m,), increasing.
        at: E(x_i, y_i), (n,).
        temperature: T > 0.

    Returns:
        A float64 scalar.

    Raises:
        ShapeError: shapes do not fit each other, or the grid has fewer than two points.
        ConfigurationError: the grid does not increase, or temperature <= 0.

    Example:
        >>> grid = torch.linspace(-9, 9, 1001)
        >>> energies = 0.5 * grid.square()[None]
        >>> conditional_nll(energies, grid, torch.tensor([0.5]), temperature=1.0)
        tensor(1.4189, dtype=torch.float64)
    """
    require_positive("temperature", temperature)
    require_real(at=at)
    energies, grid, at = _scored(energies, grid, at)
    log_z = (_log_trapezoid(grid) - energies / temperature).logsumexp(-1)
    return (at / temperature + log_z).mean()


@torch.no_grad()
def fit_temperature(energies: Tensor, grid: Tensor, at: Tensor) -> float:
    """The T > 0 that makes `conditional_nll` least; fit it on validation data, not on test data.

    The NLL is convex in 1/T, so its one minimum is where the mean energy of the data equals the
    model's, mean_i E(x_i, y_i) = mean_i ⟨E(x_i, ·)⟩_T: a root in log T, searched for six decades
    beyond the energies' own scales. An energy that knows nothing of y (constant, or with its sign
    reversed) ends at the warm end, where the density is uniform over the window; one whose data
    lie at or below the grid's minima at the cold end.

    Arguments and errors are those of `conditional_nll`; energies may be +∞, and T has their units.

    Raises:
        NonFiniteError: an energy is NaN or -∞, a row has no finite energy, or a datum has infinite
            energy, so that no temperature explains it.

    Example:
        >>> grid = torch.linspace(-9, 9, 1001)
        >>> at = torch.tensor([0.125, 0.125])
        >>> round(fit_temperature(0.5 * grid.square().expand(2, -1), grid, at), 4)
        0.25
    """
    require_real(at=at)
    energies, grid, at = _scored(energies, grid, at)
    return likeliest_temperature(energies, _log_trapezoid(grid), at)


class BranchMatches(NamedTuple):
    """How well the wells of an energy match the right answers.

    Attributes:
        recall: the share of true branches with a minimum nearby.
        precision: the share of minima with a true branch nearby; 0 where there is no minimum.
    """

    recall: float
    precision: float


def branch_matches(
    energies: Tensor,
    grid: Tensor,
    branches: list[Tensor],
    temperature: float,
    *,
    depth: float = 5.0,
    tolerance: float = 0.05,
) -> BranchMatches:
    """Compare the local minima of E(x_i, ·) with the right answers, counted over all rows.

    A minimum is a grid point below its neighbors, moved to the vertex of the parabola through the
    three; or a run of equal values below both its neighbors, at its middle. At an edge of the
    window it need only lie below its one neighbor: mass put at an edge is an answer too. A
    constant row has no minimum.

    Args:
        energies: E(x_i, grid_j), (n, m); +∞ is allowed.
        grid: (m,), increasing.
        branches: n tensors of right answers, in grid's units.
        temperature: T > 0.
        depth: minima count if within depth·T of the row's lowest energy, >= 0.
        tolerance: what counts as nearby, in the grid's units, > 0.

    Raises:
        ShapeError, ConfigurationError: as in `conditional_nll`; or branches are not n tensors
            (k,), or all empty.
        NonFiniteError: an energy is NaN or -∞, or a row has no finite energy.

    Example:
        >>> grid = torch.linspace(-2, 2, 401)
        >>> wells = (grid.square() - 1).square()[None]
        >>> branch_matches(wells, grid, [torch.tensor([1.0])], temperature=1.0)
        BranchMatches(recall=1.0, precision=0.5)
    """
    require_positive("temperature", temperature)
    require_positive("tolerance", tolerance)
    require_non_negative("depth", depth)
    energies, grid, _ = _scored(energies, grid, None)
    require_real(**{f"branches[{i}]": branch for i, branch in enumerate(branches)})
    if len(branches) != len(energies) or any(branch.ndim != 1 for branch in branches):
        raise ShapeError(
            f"branches holds {len(branches)} tensors for energies {tuple(energies.shape)}; "
            "expected one tensor (k,) per row"
        )
    row, place, height = _minima(energies.cpu(), grid.cpu())
    kept = height <= lowest(energies).cpu()[row] + depth * temperature
    row, place = row[kept], place[kept]
    hits = torch.zeros(2, dtype=torch.int64)
    for i, branch in enumerate(branches):
        near = (branch.double().cpu()[:, None] - place[row == i]).abs() <= tolerance
        hits += torch.stack([near.any(1).sum(), near.any(0).sum()])
    true = sum(len(branch) for branch in branches)
    if true == 0:
        raise ConfigurationError("branches are all empty: recall is the share of true branches")
    recalled, precise = hits.tolist()
    return BranchMatches(recalled / true, precise / max(len(place), 1))


def _minima(energies: Tensor, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(row, place, height) of all local minima of energies (n, m) over grid (m,)."""
    n, m = energies.shape
    infinite = torch.full((n, 1), torch.inf, dtype=energies.dtype)
    # Runs of equal values, as (row, first, last); each row begins with one.
    begins = torch.cat(
        [torch.ones(n, 1, dtype=torch.bool), energies[:, 1:] != energies[:, :-1]], 1
    )
    row, first = begins.nonzero(as_tuple=True)
    last = begins.roll(-1, 1).nonzero(as_tuple=True)[1]
    padded = torch.cat([infinite, energies, infinite], dim=1)
    height, before, after = energies[row, first], padded[row, first], padded[row, last + 2]
    kept = (before > height) & (after > height) & (last - first < m - 1)
    row, first, last, height = (t[kept] for t in (row, first, last, height))
    before, after = before[kept], after[kept]
    left = grid[first] - grid[(first - 1).clamp(min=0)]
    right = grid[(last + 1).clamp(max=m - 1)] - grid[last]
    rise, climb = left * (after - height), right * (before - height)
    shift = 0.5 * (left * rise - right * climb) / (rise + climb)
    sharp = (first == last) & (first > 0) & (last < m - 1) & shift.isfinite()
    middle = 0.5 * (grid[first] + grid[last])
    return row, torch.where(sharp, middle - shift, middle), height


def _scored(energies: Tensor, grid: Tensor, at: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """All three, checked, in float64 on the energies' device."""
    require_real(energies=energies, grid=grid)
    if grid.ndim != 1 or len(grid) < 2 or energies.ndim != 2 or 0 in energies.shape:
        raise ShapeError(
            f"energies has shape {tuple(energies.shape)}, grid {tuple(grid.shape)}; they are "
            "(n, m) and (m,) with n >= 1 and m >= 2"
        )
    at = torch.zeros_like(energies[:, 0]) if at is None else at
    if energies.shape[1] != len(grid) or at.shape != energies.shape[:1]:
        raise ShapeError(
            f"energies {tuple(energies.shape)}, grid {tuple(grid.shape)} and at {tuple(at.shape)} "
            "do not fit; they are (n, m), (m,) and (n,)"
        )
    if not bool((grid.diff() > 0).all()):
        raise ConfigurationError("grid must increase")
    return energies.double(), grid.double().to(energies.device), at.double().to(energies.device)


def _log_trapezoid(grid: Tensor) -> Tensor:
    half = 0.5 * grid.diff()
    return (torch.nn.functional.pad(half, (1, 0)) + torch.nn.functional.pad(half, (0, 1))).log()
