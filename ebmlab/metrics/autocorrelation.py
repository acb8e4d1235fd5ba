"""How strongly the draws of a chain depend on each other, and how many they are worth."""

import math

import torch
from torch import Tensor

from ebmlab.metrics.coordinates import moments, per_coordinate

__all__ = ["autocorrelation", "effective"]


def autocorrelation(samples: Tensor) -> Tensor:
    """The autocorrelation of each chain: ρ_t = Σ_i (y_i - ȳ)(y_{i+t} - ȳ) / Σ_i (y_i - ȳ)².

    Of samples (draws, chains, *event), at least 4 draws, it is (draws, chains, *event) in float64:
    the first dimension is the lag, 0 ... draws - 1. A constant chain has NaN. Raises as `rhat`.

    Example:
        >>> back_and_forth = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None]
        >>> autocorrelation(back_and_forth)[:, 0]
        tensor([ 1.0000, -0.7500,  0.5000, -0.2500], dtype=torch.float64)
    """

    def of_chains(x: Tensor) -> Tensor:
        covariance = _covariance(_spectrum(x), x.shape[-1])
        return (covariance / covariance[..., :1]).permute(2, 1, 0)

    return per_coordinate(samples, of_chains)


def effective(x: Tensor) -> Tensor:
    """How many independent draws the mean over all chains is worth: N / τ.

    τ = -1 + 2 Σ_k P_k, P_k = ρ_{2k} + ρ_{2k+1}, by Geyer's initial monotone sequence: the sum
    ends where P_k first falls below zero, and no P_k counts for more than the one before it.
    ρ combines the chains: ρ_t = 1 - (W - mean autocovariance_t) / V, W the mean variance within
    chains (over n - 1) and V that of all. Antithetic chains are worth more than N, at most
    N log10 N; a constant coordinate is worth N by convention.

    x is (coordinates, chains, draws) in float64, of two draws at least; the result (coordinates,).

    Source: Geyer 1992; Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021, arXiv:1903.08008.
    """
    _, chains, n = x.shape
    # The spectra are averaged over the chains first: one inverse transform serves them all.
    covariance = _covariance(_spectrum(x).mean(1), n)
    variance = covariance[:, :1]
    total = variance + (moments(x)[0].var(1)[:, None] if chains > 1 else 0)
    rho = 1 - (variance * n / (n - 1) - covariance) / total
    rho[:, 0] = 1
    return torch.where(
        x.amax((1, 2)) == x.amin((1, 2)), chains * n, chains * n / _time(rho, chains)
    )


def _time(rho: Tensor, chains: int) -> Tensor:
    """The autocorrelation time τ from correlations (coordinates, lags)."""
    n = rho.shape[1]
    last = max((n - 3) // 2, 0)
    even, odd = rho[:, : 2 * last + 1 : 2], rho[:, 1 : 2 * last + 2 : 2]
    pair = even + odd
    alive = (pair[:, :-1] > 0).long().cumprod(1)
    kept = (pair.cummin(1).values[:, :-1] * alive).sum(1)
    # The even half of the pair that ends the sequence still counts where it is positive.
    end = alive.sum(1, keepdim=True)
    rest, whole = even.gather(1, end)[:, 0], pair.gather(1, end)[:, 0]
    tau = 2 * kept - 1 + torch.where((rest > 0) | (whole >= 0), rest, 0.0)
    return tau.clamp(min=1 / math.log10(chains * n))


def _spectrum(x: Tensor) -> Tensor:
    """The power of each chain's deviations, padded so that no lag wraps around."""
    size = 1 << (2 * x.shape[-1] - 1).bit_length()
    deviation = x - x[..., :1]
    deviation = deviation - deviation.mean(-1, keepdim=True)
    transformed = torch.fft.rfft(deviation, n=size)
    return transformed.real.square() + transformed.imag.square()


def _covariance(spectrum: Tensor, n: int) -> Tensor:
    """Autocovariances (over n) at lags 0 ... n - 1."""
    size = 2 * (spectrum.shape[-1] - 1)
    return torch.fft.irfft(spectrum, n=size)[..., :n] / n
