"""How many directions codes (n, d) vary in: ranks and the decay of their spectrum.

Errors are those of `metrics.spread`.
"""

import torch
from torch import Tensor

from ebmlab._precise import precise
from ebmlab.errors import ConfigurationError
from ebmlab.metrics.populations import population

__all__ = ["alpha_req", "effective_rank", "rankme"]


@torch.no_grad()
def effective_rank(codes: Tensor) -> float:
    """How many directions the codes vary in: exp(-Σ p log p) with p = σ / Σ σ.

    σ are the singular values of the centered codes (n, d), n >= 2; the rank lies between 1 and
    min(n - 1, d). A dimension that varies by no more than two roundings of its dtype counts as
    constant, and a fully collapsed population, constant in all, has rank 1 by convention.

    Example:
        >>> cross = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(effective_rank(cross), 4)
        2.0

    Source: Roy, Vetterli 2007, "The effective rank", on centered data.
    """
    return _rank(_centered_values(codes), 0.0)


@torch.no_grad()
def rankme(codes: Tensor) -> float:
    """The effective rank without centering: exp(-Σ p log p) with p = σ / Σ σ + 1e-7.

    σ are the singular values of the codes (n, d): a constant shift counts as a direction of its
    own. All-zero codes have rank 1 by convention.

    Example:
        >>> round(rankme(torch.eye(3)), 4)
        3.0

    Source: Garrido, Balestriero, Najman, LeCun 2023, arXiv:2210.02885.
    """
    return _rank(torch.linalg.svdvals(precise(population("codes", codes))), 1e-7)


@torch.no_grad()
def alpha_req(codes: Tensor, first: int = 1, last: int | None = None) -> float:
    """The exponent α of the power law λ_i ~ i^(-α) that the covariance's eigenvalues follow.

    The least-squares slope of log λ_i over log i, weighed 1 / i so that each octave of i counts
    alike. Good representations are reported near 1; a large α means collapse to few directions.

    Args:
        codes: (n, d) with n >= 3.
        first: the first i of the fit, the largest eigenvalue being i = 1.
        last: the last i; None: the last eigenvalue that is more than rounding.

    Raises:
        ConfigurationError: fewer than two eigenvalues above rounding lie in first … last.

    Example:
        >>> decay = torch.arange(1.0, 9.0).reciprocal()
        >>> codes = torch.cat([torch.eye(8), -torch.eye(8)]) * decay
        >>> round(alpha_req(codes), 3)
        2.0

    Source: Agrawal, Mondal, Ghosh, Richards 2022, "α-ReQ"; Stringer et al. 2019.
    """
    population("codes", codes, least=3)
    values = _centered_values(codes)
    resolution = torch.finfo(values.dtype).eps * max(codes.shape)
    spectrum = values[values > resolution * values.max()].square()
    end = len(spectrum) if last is None else min(last, len(spectrum))
    if first < 1 or end - first < 1:
        raise ConfigurationError(
            f"first is {first}, last {last}, but codes {tuple(codes.shape)} have {len(spectrum)} "
            "eigenvalues above rounding; a slope needs two of them, counted from 1"
        )
    rank = torch.arange(first, end + 1, dtype=values.dtype, device=values.device)
    weight = 1 / (rank * rank.reciprocal().sum())
    x, y = rank.log(), spectrum[first - 1 : end].log()
    x, y = x - (weight * x).sum(), y - (weight * y).sum()
    return (-(weight * x * y).sum() / (weight * x.square()).sum()).item()


def _rank(values: Tensor, eps: float) -> float:
    if values.max() == 0:
        return 1.0
    return torch.special.entr(values / values.sum() + eps).sum().exp().item()


def _centered_values(codes: Tensor) -> Tensor:
    """Singular values of the centered codes; what varies only by rounding counts as constant."""
    resolution = torch.finfo(population("codes", codes, least=2).dtype).eps
    codes = precise(codes)
    centered = codes - codes.mean(0)
    varies = centered.abs().amax(0) > 2 * resolution * codes.abs().amax(0)
    return torch.linalg.svdvals(torch.where(varies, centered, 0.0))
