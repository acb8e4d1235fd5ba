"""Quadrature on a box of one to three dimensions."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_real
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.partition.chunks import log_sum
from ebmlab.partition.estimate import Estimate
from ebmlab.types import Potential, as_potential

__all__ = ["gauss_legendre", "nodes", "quadrature", "trapezoid"]

Rule = Callable[[int], tuple[Tensor, Tensor]]


def gauss_legendre(n: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights (n,) on [0, 1], exact for polynomials of degree 2n - 1.

    Example:
        >>> nodes, weights = gauss_legendre(3)
        >>> round(float(weights @ nodes**5), 12)
        0.166666666667
    """
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)


def trapezoid(n: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights (n,) on [0, 1], n >= 2: best where the integrand vanishes at the edges.

    Example:
        >>> trapezoid(3)[1].tolist()
        [0.25, 0.5, 0.25]
    """
    weights = torch.full((n,), 1 / (n - 1), dtype=torch.float64)
    weights[[0, -1]] /= 2
    return torch.linspace(0, 1, n, dtype=torch.float64), weights


def quadrature(
    u: Callable[[Tensor], Tensor],
    lo: Tensor,
    hi: Tensor,
    *,
    resolution: int = 128,
    rule: Rule = gauss_legendre,
    chunk: int = 2**17,
) -> Estimate:
    """log ∫ exp(-u(y)) dy over the box lo <= y <= hi, in one to three dimensions.

    The error given is the change from half the resolution: for smooth energies it is well above
    the true error. What lies outside the box is not seen.

    Args:
        u: a potential of y (n, d).
        lo: the lower corner (d,), of the type that u takes.
        hi: the upper corner (d,).
        resolution: nodes along each axis, >= 4.
        rule: `gauss_legendre`, `trapezoid`, or your own: n to nodes and weights on [0, 1].
        chunk: how many points at a time.

    Raises:
        ShapeError: the corners are not (d,) with d = 1, 2 or 3.
        ConfigurationError: lo < hi fails, or resolution < 4.
        NonFiniteError: an energy is NaN or -∞, or +∞ everywhere.

    Example:
        >>> corner = torch.full((2,), 8.0, dtype=torch.float64)
        >>> estimate = quadrature(lambda y: 0.5 * y.square().sum(-1), -corner, corner)
        >>> bool((estimate.log_z.exp() - 2 * torch.pi).abs() < 1e-12)
        True
    """
    _require_box(lo, hi, resolution)
    u = as_potential(u)
    rules = rule(resolution), rule((resolution + 1) // 2)
    fine, coarse = (_integral(u, lo, hi, each, chunk) for each in rules)
    if not bool(fine.isfinite()):
        what = "u is NaN or -∞ at a node, or +∞ at all of them"
        raise NonFiniteError(f"the integral's log is {float(fine)}: {what}")
    return Estimate.exact(fine, (fine - coarse).abs())


def nodes(
    lo: Tensor, hi: Tensor, resolution: int = 64, rule: Rule = gauss_legendre
) -> tuple[Tensor, Tensor]:
    """Points (m, d) of a box and the logs of their weights (m,): ∫ f(y) dy ≈ Σ exp(w_i) f(y_i).

    Args:
        lo: the lower corner (d,), d <= 3.
        hi: the upper corner (d,).
        resolution: nodes along each axis, >= 4; m is their number to the power d.
        rule: as in `quadrature`.

    Raises:
        ShapeError, ConfigurationError: as `quadrature`.

    Example:
        >>> points, log_weights = nodes(torch.zeros(2), torch.tensor([1.0, 2.0]), resolution=4)
        >>> points.shape, round(float((points.prod(1) * log_weights.exp()).sum()), 6)
        (torch.Size([16, 2]), 1.0)
    """
    _require_box(lo, hi, resolution)
    points, log_shares = _placed(torch.arange(resolution ** len(lo)), lo, hi, rule(resolution))
    return points, (log_shares + (hi - lo).double().log().sum()).to(lo.dtype)


def _require_box(lo: Tensor, hi: Tensor, resolution: int) -> None:
    require_real(lo=lo, hi=hi)
    if lo.ndim != 1 or lo.shape != hi.shape or not 1 <= len(lo) <= 3:
        raise ShapeError(
            f"lo has shape {tuple(lo.shape)}, hi {tuple(hi.shape)}; both must be (d,), d <= 3: in "
            "more dimensions use ais"
        )
    require_counts(4, resolution=resolution)
    if not bool(((lo < hi) & (hi - lo).isfinite()).all()):
        raise ConfigurationError(
            f"lo is {lo.tolist()}, hi {hi.tolist()}; they must be finite, and lo below hi"
        )


def _placed(
    index: Tensor, lo: Tensor, hi: Tensor, rule: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """The nodes of these numbers, and the logs of their shares of the box."""
    places, log_shares = rule[0].to(lo), rule[1].log().to(lo.device)
    index = index.to(lo.device)
    at = torch.stack([index // len(places) ** axis % len(places) for axis in range(len(lo))], -1)
    return lo + (hi - lo) * places[at], log_shares[at].sum(-1)


def _integral(
    u: Potential, lo: Tensor, hi: Tensor, rule: tuple[Tensor, Tensor], chunk: int
) -> Tensor:
    def terms(index: Tensor) -> Tensor:
        points, log_shares = _placed(index, lo, hi, rule)
        return log_shares - u(points).double()

    volume = (hi - lo).double().log().sum()
    return log_sum(terms, len(rule[0]) ** len(lo), chunk, lo.device) + volume
