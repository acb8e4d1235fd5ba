"""How the mass of samples, or of an energy on a grid, is shared among modes."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_device, require_same_kind
from ebmlab._distances import nearest_rows
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.metrics.populations import population

__all__ = ["ModeWeights", "mode_weights"]


class ModeWeights(NamedTuple):
    """The share of each mode (k,), and the largest error of one; both float64."""

    weights: Tensor
    error: Tensor


@torch.no_grad()
def mode_weights(
    points: Tensor,
    modes: Tensor,
    *,
    energies: Tensor | None = None,
    expected: Tensor | None = None,
) -> ModeWeights:
    """The mass nearest to each mode: of samples, or of exp(-E) on an evenly spaced grid.

    w_k = Σ_i p_i [k = argmin_j ‖y_i - μ_j‖], with p_i = 1/n, or exp(-E_i) / Σ exp(-E) where
    energies are given. The error is max_k |w_k - expected_k|. Slopes do not tell how mass is
    shared among modes far apart: a good score may go with wrong weights.

    Args:
        points: samples or the grid's points, (n, d).
        modes: μ, (k, d).
        energies: at the points of a grid, (n,); None counts the points.
        expected: the true shares (k,); None: all are equal.

    Raises:
        ShapeError, DtypeError, DeviceError: the tensors do not fit.
        NonFiniteError: a point or mode is NaN or infinite, or an energy NaN or -∞, or all +∞.

    Example:
        >>> modes = torch.tensor([[-1.0], [1.0]])
        >>> found = mode_weights(torch.tensor([[-0.9], [-1.2], [0.5], [-2.0]]), modes)
        >>> found.weights.tolist(), float(found.error)
        ([0.75, 0.25], 0.25)
    """
    points, modes = population("points", points), population("modes", modes)
    require_device("points", points.device, {"energies": energies})
    require_same_kind({"points": points, "modes": modes})
    if points.shape[1] != modes.shape[1]:
        raise ShapeError(
            f"points {tuple(points.shape)} and modes {tuple(modes.shape)} differ in dimension"
        )
    for name, given, count in (("energies", energies, points), ("expected", expected, modes)):
        if given is not None and given.shape != count.shape[:1]:
            raise ShapeError(f"{name} has shape {tuple(given.shape)}; expected ({len(count)},)")
    shares = _shares(points, energies)
    weights = shares.new_zeros(len(modes)).index_add(0, nearest_rows(points, modes), shares)
    if expected is None:
        expected = torch.full_like(weights, 1 / len(modes))
    return ModeWeights(weights, (weights - expected.to(weights)).abs().max())


def _shares(points: Tensor, energies: Tensor | None) -> Tensor:
    if energies is None:
        return torch.full((len(points),), 1 / len(points), dtype=torch.float64).to(points.device)
    shares = (-energies.detach().double()).softmax(0)
    if not bool(shares.isfinite().all()):
        raise NonFiniteError(
            f"energies {tuple(energies.shape)} hold NaN or -∞, or +∞ at all points"
        )
    return shares
