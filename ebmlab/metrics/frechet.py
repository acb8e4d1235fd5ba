"""How far two populations of features are, each taken as a Gaussian."""

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab.errors import ShapeError
from ebmlab.metrics.populations import population

__all__ = ["frechet_distance"]


@torch.no_grad()
def frechet_distance(a: Tensor, b: Tensor) -> Tensor:
    """‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁^½ Σ₂ Σ₁^½)^½) of the means and covariances of two samples.

    The squared distance of two Gaussians in optimal transport, in squared units of the features,
    computed in float64. It compares *these* features, of whatever encoder: numbers of different
    encoders do not compare, and only those of one published network are called FID.

    Estimates from few points are too large: of d independent features of one variance v by about
    (d (d + 5) / 4) v (1/n + 1/m). Compare models by as many points each, and give beside them the
    distance of as many data.

    Args:
        a: features (n, d), n >= 2.
        b: features (m, d), m >= 2, on the same device.

    Returns:
        The distance as a 0-d float64 tensor, at least 0.

    Raises:
        ShapeError, DtypeError, DeviceError: the features do not fit.
        NonFiniteError: a feature is NaN or infinite.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> a = torch.randn(1000, 3, generator=rng)
        >>> frechet_distance(a, a + 2).round(decimals=6)
        tensor(12., dtype=torch.float64)

    Source: Dowson, Landau 1982; Heusel et al. 2017, arXiv:1706.08500.
    """
    a, b = (population(name, t, least=2).double() for name, t in (("a", a), ("b", b)))
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"a {tuple(a.shape)} and b {tuple(b.shape)} differ in their features")
    require_device("a", a.device, {"b": b})
    between = (a.mean(0) - b.mean(0)).square().sum()
    centered = [(t - t.mean(0)) / (len(t) - 1) ** 0.5 for t in (a, b)]
    spread = sum(t.square().sum() for t in centered)
    # tr (Σ₁^½ Σ₂ Σ₁^½)^½ is the sum of the singular values of any F₁ᵀ F₂ with Σ = F Fᵀ.
    first, second = (_factor(t) for t in centered)
    shared = torch.linalg.svdvals(first.mT @ second).sum()
    return (between + spread - 2 * shared).clamp(min=0)


def _factor(centered: Tensor) -> Tensor:
    """F (d, d) with F Fᵀ the covariance."""
    values, vectors = torch.linalg.eigh(centered.mT @ centered)
    return vectors * values.clamp(min=0).sqrt()
