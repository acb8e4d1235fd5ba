"""The four posteriors once more, for samplers of JAX: the same arithmetic as ebmlab's energies."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ebmlab.data.posteriors import EightSchools, GaussianProcess, LinearRegression, Unconstrained

__all__ = ["log_density"]


def log_density(energy: Unconstrained) -> Callable[[Any], Any]:
    """-E of one point (d,), as a function of JAX arrays."""
    if isinstance(energy, EightSchools):
        return _eight_schools(energy)
    if isinstance(energy, GaussianProcess):
        return _gaussian_process(energy)
    assert isinstance(energy, LinearRegression)
    return _linear_regression(energy)


def _jax(tensor: Tensor) -> Any:
    import jax

    return jax.numpy.asarray(tensor.numpy())


def _eight_schools(energy: EightSchools) -> Callable[[Any], Any]:
    import jax.numpy as jnp

    precisions, standardized = _jax(energy.precisions), _jax(energy.standardized)

    def density(y: Any) -> Any:
        t, mean, log_width = y[:-2], y[-2], y[-1]
        width = jnp.exp(log_width)
        residual = (mean + width * t) * precisions - standardized
        prior = mean**2 / 50 + jnp.log1p(width**2 / 25) - log_width
        return -(0.5 * (t**2 + residual**2).sum() + prior)

    return density


def _linear_regression(energy: LinearRegression) -> Callable[[Any], Any]:
    import jax.numpy as jnp

    triangle, best, rest = _jax(energy.triangle), _jax(energy.best), _jax(energy.rest)
    prior_mean, prior_precision = _jax(energy.prior_mean), _jax(energy.prior_precision)
    scale, volume = energy.scale, energy.volume

    def density(y: Any) -> Any:
        coefficients, log_std = y[:-1], y[-1]
        off = triangle @ (coefficients - best)
        misfit = 0.5 * ((off**2).sum() + rest) * jnp.exp(-2 * log_std)
        prior = 0.5 * ((coefficients - prior_mean) ** 2 * prior_precision).sum()
        tail = 0.0 if math.isinf(scale) else jnp.log1p((jnp.exp(log_std) / scale) ** 2)
        return -(misfit + prior + volume * log_std + tail)

    return density


def _gaussian_process(energy: GaussianProcess) -> Callable[[Any], Any]:
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    squared, response, eye = _jax(energy.squared), _jax(energy.response), _jax(energy.eye)
    linear = _jax(energy.linear)

    def density(y: Any) -> Any:
        length, height, noise = jnp.exp(y)
        covariance = height**2 * jnp.exp(-0.5 * squared / length**2) + noise * eye
        factor = jnp.linalg.cholesky(covariance)
        residual = solve_triangular(factor, response, lower=True)
        fit = 0.5 * (residual**2).sum() + jnp.log(jnp.diagonal(factor)).sum()
        return -(fit + y @ linear + 4 * length + height**2 / 8 + noise**2 / 2)

    return density
