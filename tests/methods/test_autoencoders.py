"""Autoencoders: plain, denoising, contractive; closed forms of values, gradients and optima."""

import pytest
import torch
from autoencoders_support import (
    SIGMA,
    VARIANCES,
    covariance,
    gaussian,
    linear,
    minimized,
    rotation,
    sigmoids,
)
from problems import F64, generator, randn
from torch import nn

from ebmlab import methods
from ebmlab.energies import MLP, SquaredDistance
from ebmlab.errors import ConfigurationError, DtypeError, GradientError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.objectives import Contractive, Denoising


def same(method, y, expected, rng=None):
    """Value and gradients in all parameters."""
    own = list(method.parameters())
    value = method(None, y, rng).value
    torch.testing.assert_close(value, expected)
    grads = torch.autograd.grad(value, own, materialize_grads=True)
    due = torch.autograd.grad(expected, own, materialize_grads=True)
    for a, b in zip(grads, due, strict=True):
        torch.testing.assert_close(a, b)


def test_an_autoencoder_is_its_reconstruction_error():
    f, g, y = sigmoids(), linear(3, 4), randn(6, 4)
    method = methods.autoencoder(f, g)
    same(method, y, (g(f(y)) - y).square().sum(1).mean())
    assert torch.equal(method.encode(y), f(y))
    assert method.energy.bound == "upper"


def test_images_may_be_encoded_too():
    f = nn.Sequential(nn.Flatten(), linear(4, 3))
    g = nn.Sequential(linear(3, 4), nn.Unflatten(1, (1, 2, 2)))
    y = randn(5, 1, 2, 2)
    method = methods.autoencoder(f, g, distance=SquaredDistance(3))
    same(method, y, (g(f(y)) - y).square().sum((1, 2, 3)).mean())
    noisy = methods.denoising_autoencoder(f, g, 0.1, distance=SquaredDistance(3))
    assert noisy(None, y, generator()).value > 0


def test_a_linear_autoencoder_reaches_the_error_of_principal_components():
    y = gaussian(200)
    method = methods.autoencoder(linear(4, 2), linear(2, 4, seed=2))
    found = minimized(method, y)
    outside = float(VARIANCES[2:].sum())
    assert outside - 1e-9 < found < outside * (1 + 1e-6)


def test_denoising_compares_with_the_clean_datum():
    f, g, y = sigmoids(), linear(3, 4), randn(6, 4)
    noise = SIGMA * torch.randn(4, 6, generator=generator(), dtype=F64).T
    expected = (g(f(y + noise)) - y).square().sum(1).mean()
    same(methods.denoising_autoencoder(f, g, SIGMA), y, expected, generator())
    wrong = (g(f(y + noise)) - y - noise).square().sum(1).mean()
    assert not torch.allclose(wrong, expected)


def test_training_reaches_the_optimal_linear_denoiser():
    # r(ỹ) = S (S + σ²)⁻¹ ỹ, with the error tr σ² S (S + σ²)⁻¹.
    n = 20_000
    y = gaussian(n)
    f, g = linear(4, 4, bias=False), linear(4, 4, bias=False, seed=2)
    method = methods.denoising_autoencoder(f, g, SIGMA)
    error = minimized(method, y, 60)
    found = (g.weight @ f.weight).detach()
    noisy = y + SIGMA * torch.randn(4, n, generator=generator(1), dtype=F64).T
    sample = torch.linalg.lstsq(noisy, y).solution.T
    torch.testing.assert_close(found, sample, rtol=0, atol=1e-5)
    best = covariance() @ torch.linalg.inv(covariance() + SIGMA**2 * torch.eye(4, dtype=F64))
    # Entries of a least-squares fit to 20,000 data have standard errors below 0.012.
    assert float((found - best).abs().max()) < 0.06
    due = float((SIGMA**2 * VARIANCES / (VARIANCES + SIGMA**2)).sum())
    assert error == pytest.approx(due, rel=0.04)
    # Neither a copy nor a projection to the two main axes passes.
    axes = rotation()[:, :2]
    for other in (torch.eye(4, dtype=F64), axes @ axes.T):
        assert float((other - best).abs().max()) > 0.1


def test_the_penalty_of_a_layer_of_sigmoids_has_a_closed_form():
    f, g, y, weight = sigmoids(), linear(3, 4), randn(6, 4), 0.3
    h = f(y)
    # ‖J‖² = Σ_j (h_j (1 - h_j))² ‖w_j‖²
    rows = f[0].weight.square().sum(1)
    penalty = ((h * (1 - h)).square() * rows).sum(1).mean()
    expected = (g(h) - y).square().sum(1).mean() + weight * penalty
    same(methods.contractive_autoencoder(f, g, weight), y, expected)
    torch.testing.assert_close(
        torch.func.vmap(torch.func.jacrev(f))(y).square().sum((1, 2)).mean(), penalty
    )


def test_random_signs_estimate_the_penalty_without_bias():
    f, g, y = sigmoids(), linear(3, 4), randn(3, 4)
    energy = methods.autoencoder(f, g).energy
    exact = Contractive()(energy, None, y).value
    rng = generator(2)
    draws = torch.stack([Contractive(4)(energy, None, y, rng).value.detach() for _ in range(200)])
    error = float(draws.std()) / 200**0.5
    # A fair estimate is 5 standard errors off about once in two million seeds.
    assert abs(float(draws.mean() - exact.detach())) < 5 * error
    assert abs(float(draws.mean() - 1.2 * exact.detach())) > 5 * error
    own = list(f.parameters())
    due = torch.autograd.grad(exact, own)
    many = Contractive(400)(energy, None, y, rng).value
    for a, b in zip(torch.autograd.grad(many, own), due, strict=True):
        torch.testing.assert_close(a, b, rtol=0.3, atol=0.02)


def test_contraction_makes_the_code_flatter():
    y = gaussian(200)
    slopes = []
    for weight in (0.0, 10.0):
        f, g = sigmoids(), linear(3, 4)
        method = methods.contractive_autoencoder(f, g, weight)
        minimized(method, y, 40)
        slopes.append(float(Contractive()(method.energy, None, y).terms["contractive"]))
    assert slopes[1] < 0.5 * slopes[0]


def test_objectives_of_codes_refuse_what_has_none():
    y, f, g = randn(3, 4), linear(4, 2), linear(2, 4)
    energy = methods.autoencoder(f, g).energy
    for objective in (Denoising(0.1), Contractive()):
        with pytest.raises(ConfigurationError, match="FreeEnergy"):
            objective(MLP(4, hidden=(2,)).double(), None, y, generator())
        with pytest.raises(DtypeError, match="dtype"):
            objective(energy, None, y.long(), generator())
    for objective in (Denoising(0.1), Contractive(1)):
        with pytest.raises(ConfigurationError, match="rng"):
            objective(energy, None, y)
    with pytest.raises(ConfigurationError, match="sigma"):
        Denoising(0.0)
    with pytest.raises(ConfigurationError, match="probes"):
        Contractive(0)
    choice = FreeEnergy(energy.energy, Enumerate(randn(3, 2)))
    with pytest.raises(GradientError, match="encoder"):
        Contractive()(choice, None, y)
