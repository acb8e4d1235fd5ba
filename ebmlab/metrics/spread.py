"""How codes are spread: deviations, agreement of positives, uniformity on the sphere.

Codes that are not (n, d) or too few raise ShapeError, those that are not finite floating-point
numbers DtypeError or NonFiniteError.
"""

import math

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab.energies import unit
from ebmlab.errors import ShapeError
from ebmlab.metrics.populations import population

__all__ = ["alignment", "code_std", "dimension_std", "uniformity"]

# Pairs of codes compared at a time.
_BLOCK = 2**24


@torch.no_grad()
def dimension_std(codes: Tensor) -> Tensor:
    """The standard deviation (over n - 1) of each dimension of codes (n, d), n >= 2: (d,).

    It is in float32 or better.

    Example:
        >>> dimension_std(torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
        tensor([1., 0.])
    """
    return precise(population("codes", codes, least=2)).std(0)


@torch.no_grad()
def code_std(codes: Tensor) -> float:
    """The mean of `dimension_std`: how far codes (n, d) spread; 0 is collapse.

    Example:
        >>> code_std(torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]))
        0.5
    """
    return dimension_std(codes).mean().item()


@torch.no_grad()
def alignment(hx: Tensor, hy: Tensor, power: float = 2.0) -> float:
    """mean ‖u(hx) - u(hy)‖^power of the unit codes of positive pairs; 0 is full invariance.

    Row i of hx (n, d) and of hy (n, d) are two views of one datum; power > 0.

    Example:
        >>> alignment(torch.eye(2), 3 * torch.eye(2)), alignment(torch.eye(2), -torch.eye(2))
        (0.0, 4.0)

    Source: Wang, Isola 2020, arXiv:2005.10242.
    """
    require_positive("power", power)
    x, y = (unit(precise(population(name, h))) for name, h in (("hx", hx), ("hy", hy)))
    if x.shape != y.shape:
        raise ShapeError(
            f"hx has shape {tuple(hx.shape)}, hy {tuple(hy.shape)}; row i of both is one pair"
        )
    return torch.linalg.vector_norm(x - y, dim=-1).pow(power).mean().item()


@torch.no_grad()
def uniformity(codes: Tensor, t: float = 2.0) -> float:
    """log mean_{i≠j} exp(-t ‖u_i - u_j‖²) of the unit codes; 0 is collapse, lower is better.

    For many codes it is least where they are uniform on the sphere; on the circle that limit is
    log(e^(-2t) I₀(2t)). Pairs of the codes (n, d), n >= 2, are looked at block by block; t > 0.

    Example:
        >>> uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]))
        -8.0

    Source: Wang, Isola 2020, arXiv:2005.10242.
    """
    require_positive("t", t)
    u = unit(precise(population("codes", codes, least=2)))
    n, parts = len(u), []
    for start in range(0, n, max(1, _BLOCK // n)):
        block = u[start : start + max(1, _BLOCK // n)]
        exponent = 2 * t * (block @ u.mT - 1)
        # A code and itself are no pair.
        exponent.diagonal(start).fill_(-math.inf)
        parts.append(exponent.logsumexp((0, 1)))
    return (torch.stack(parts).logsumexp(0) - math.log(n * (n - 1))).item()
