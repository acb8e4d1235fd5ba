"""Quadrature on a box of one to three dimensions."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.partition.chunks import log_sum
from ebmlab.partition.estimate import Estimate
from ebmlab.types import Potential, as_potential

__all__ = ["gauss_legendre", "quadrature", "trapezoid"]

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
    if lo.ndim != 1 or lo.shape != hi.shape or not 1 <= len(lo) <= 3:
        raise ShapeError(
            f"lo has shape {tuple(lo.shape)}, hi {tuple(hi.shape)}; both must be (d,), d <= 3: in "
            "more dimensions use ais"
        )
    if resolution < 4 or not bool((lo < hi).all()):
        box = f"lo {lo.tolist()}, hi {hi.tolist()}"
        raise ConfigurationError(f"resolution is {resolution}, {box}; expected >= 4, lo below hi")
    u = as_potential(u)
    rules = rule(resolution), rule((resolution + 1) // 2)
    fine, coarse = (_integral(u, lo, hi, each, chunk) for each in rules)
    if not bool(fine.isfinite()):
        what = "u is NaN or -∞ at a node, or +∞ at all of them"
        raise NonFiniteError(f"the integral's log is {float(fine)}: {what}")
    return Estimate.exact(fine, (fine - coarse).abs())


def _integral(
    u: Potential, lo: Tensor, hi: Tensor, rule: tuple[Tensor, Tensor], chunk: int
) -> Tensor:
    places, log_shares = rule[0].to(lo), rule[1].log().to(lo.device)
    n, d = len(places), len(lo)

    def terms(index: Tensor) -> Tensor:
        at = torch.stack([index // n**axis % n for axis in range(d)], dim=-1)
        return log_shares[at].sum(-1) - u(lo + (hi - lo) * places[at]).double()

    volume = (hi - lo).double().log().sum()
    return log_sum(terms, n**d, chunk, lo.device) + volume
