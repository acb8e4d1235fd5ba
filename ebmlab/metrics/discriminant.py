"""How many directions tell data apart beyond what differs between views of one datum."""

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._precise import precise
from ebmlab.errors import ShapeError
from ebmlab.metrics.populations import population

__all__ = ["lidar"]

# Added to each share of the spectrum, as in the definition.
_SHARE = 1e-7


@torch.no_grad()
def lidar(codes: Tensor, *, ridge: float = 1e-4) -> float:
    """LiDAR, the effective rank of a linear discriminant analysis: exp(-Σ p log p).

    Views of one datum are a class: Σ_b is the covariance of the classes' means, Σ_w the
    covariance within classes plus `ridge` · I, both without bias. p = λ / Σ λ + 1e-7, with λ the
    eigenvalues of Σ_w^(-1/2) Σ_b Σ_w^(-1/2). A direction in which views of one datum differ as
    much as data do counts little; RankMe counts it in full. Only `ridge` makes it depend on the
    codes' unit. Means that are all alike, up to two roundings, have rank 1 by convention.

    Args:
        codes: (n, q, d): q >= 2 views of each of n >= 2 data.
        ridge: in squared units of the codes, > 0.

    Returns:
        The rank, between 1 and min(n - 1, d) up to the 1e-7.

    Raises:
        ShapeError: codes are not (n, q, d) with n, q >= 2.
        DtypeError, NonFiniteError: codes are not finite floats.

    Example:
        >>> means = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> views = means[:, None] + torch.tensor([[0.0, 0.1], [0.0, -0.1]])
        >>> round(lidar(views, ridge=1e-9), 2)  # views differ along the second direction alone
        1.0
        >>> round(lidar(views, ridge=1e3), 2)
        2.0

    Source: Thilak, Huang, Saremi, Dinh, Goh, Nakkiran, Susskind, Littwin 2023, arXiv:2312.04000.
    """
    require_positive("ridge", ridge)
    if codes.ndim != 3 or min(codes.shape[:2]) < 2:
        raise ShapeError(
            f"codes has shape {tuple(codes.shape)}; expected (n, q, d): q >= 2 views of each of "
            "n >= 2 data"
        )
    n, q, d = codes.shape
    rounding = torch.finfo(population("codes", codes.flatten(0, 1)).dtype).eps
    h = precise(codes.detach()).double()
    means = h.mean(1)
    within = (h - means[:, None]).flatten(0, 1)
    between = means - means.mean(0)
    between = torch.where(between.abs() > 2 * rounding * h.abs().amax((0, 1)), between, 0.0)
    eye = torch.eye(d, dtype=h.dtype, device=h.device)
    root = torch.linalg.cholesky(within.mT @ within / (n * (q - 1)) + ridge * eye)
    # L⁻¹ Σ_b L⁻ᵀ with L Lᵀ = Σ_w has the same eigenvalues; those beyond n - 1 are zero.
    scaled = torch.linalg.solve_triangular(root, between.mT, upper=False)
    values = h.new_zeros(d)
    found = torch.linalg.svdvals(scaled).square()
    values[: len(found)] = found
    if values.sum() == 0:
        return 1.0
    return torch.special.entr(values / values.sum() + _SHARE).sum().exp().item()
