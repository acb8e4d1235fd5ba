"""Where kernels run, and a judge of normal noise."""

import torch
from problems import RATE, fits, has_mean, has_variance
from scipy import stats
from torch import Tensor

# On a GPU the kernels run compiled; without one Triton's interpreter runs them on CPU tensors.
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seed_of(value: int) -> Tensor:
    return torch.tensor(value, device=DEVICE)


def on_device(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def uncorrelated(one: Tensor, other: Tensor, rate: float = RATE) -> bool:
    """Whether the products of two independent unit normal samples may have this mean, 0 ± 1/√n."""
    return has_mean(one.double() * other.double(), 0.0, 1.0, rate)


def looks_normal(sample: Tensor) -> bool:
    """Moments, distribution and neighbors of unit normals (n,): eight tests share one rate."""
    rate, flat = RATE / 8, sample.detach().cpu().flatten()
    fourth = flat.double() ** 4
    return (
        has_mean(flat, 0.0, 1.0, rate)
        and has_variance(flat, 1.0, rate)
        and has_mean(fourth, 3.0, 96**0.5, rate)
        and fits(flat, stats.norm.cdf, rate)
        and all(uncorrelated(flat[lag:], flat[:-lag], rate) for lag in (1, 2, 3, 4))
    )
