"""Exact draws, judged along four directions; a wrong width is seen."""

import math

import numpy as np
import pytest
import torch
from problems import COVARIANCE_3, F64, PLANE, f64, fits, generator, has_mean
from scipy import stats

from ebmlab.energies import DoubleWell, Funnel, Gaussian, GaussianMixture, Ring, Uniform
from ebmlab.errors import ConfigurationError, ShapeError


@pytest.mark.parametrize("name", PLANE)
def test_draws_have_the_density_along_four_directions(name):
    problem = PLANE[name]
    assert problem.accepts(problem.density.sample(20_000, generator(3)))
    assert not problem.accepts(problem.wrong.sample(20_000, generator(3)))


def test_draws_of_a_correlated_gaussian_in_space():
    energy = Gaussian(f64([1.0, 0.0, -2.0]), COVARIANCE_3)
    wrong = Gaussian(f64([1.0, 0.0, -2.0]), COVARIANCE_3.diagonal().diag())
    seen = []
    for drawn in (energy.sample(20_000, generator(4)), wrong.sample(20_000, generator(4))):
        for direction in (f64([1.0, 0.0, 0.0]), f64([1.0, 1.0, 1.0]), f64([0.0, 1.0, -1.0])):
            std = float((direction @ COVARIANCE_3 @ direction).sqrt())
            line = stats.norm(float(energy.mean @ direction), std)
            seen.append(fits(drawn @ direction, line.cdf))
    # Along an axis the correlations do not show; along the others they do.
    assert seen == [True, True, True, True, False, False]


def test_draws_of_a_funnel():
    drawn = Funnel(3, 1.5).sample(20_000, generator(5)).double()
    v = np.linspace(-12, 12, 400)
    weight = stats.norm.pdf(v, scale=1.5)

    def marginal(t: np.ndarray) -> np.ndarray:
        return stats.norm.cdf(t[:, None] * np.exp(-v / 2)) @ weight / weight.sum()

    first, second = drawn[:, 0], drawn[:, 1]
    assert fits(first, stats.norm(scale=1.5).cdf)
    assert not fits(first, stats.norm(scale=1.6).cdf)
    assert fits(second, marginal)
    assert not fits(1.15 * second, marginal)
    # Given v, the two others are independent: their signs agree half the time.
    assert has_mean((second.sign() * drawn[:, 2].sign()), 0.0, 1.0)


@pytest.mark.parametrize(("radius", "width"), [(2.0, 0.2), (0.7, 1.0), (0.1, 2.0)])
def test_draws_of_a_ring_have_its_radii_and_every_angle(radius, width):
    drawn = Ring(radius, width).sample(100_000, generator(6)).double()
    axis = torch.linspace(0, radius + 10 * width, 20_001, dtype=F64)
    mass = (axis * (-((axis - radius) ** 2) / (2 * width**2)).exp()).cumsum(0)
    radii, angles = drawn.norm(dim=1), torch.atan2(drawn[:, 1], drawn[:, 0])

    def cdf(t: np.ndarray) -> np.ndarray:
        return np.interp(t, axis.numpy(), (mass / mass[-1]).numpy())

    assert fits(radii, cdf)
    assert not fits(1.03 * radii, cdf)
    assert fits(angles, stats.uniform(-math.pi, 2 * math.pi).cdf)


@pytest.mark.parametrize("dim", [1, 3])
def test_draws_of_a_double_well_fill_both_wells(dim):
    drawn = DoubleWell(8.0, dim).sample(20_000, generator(6)).double()
    axis = torch.linspace(-3, 3, 4001, dtype=F64)
    mass = (-8 * (axis**2 - 1) ** 2).exp().cumsum(0)
    assert drawn.shape == (20_000, dim)
    assert fits(drawn[:, 0], lambda t: np.interp(t, axis.numpy(), (mass / mass[-1]).numpy()))
    assert all(fits(drawn[:, i], stats.norm.cdf) for i in range(1, dim))


@pytest.mark.parametrize("density", [*(p.density for p in PLANE.values()), Funnel(3)])
def test_draws_belong_to_their_generator(density):
    before = torch.get_rng_state()
    rng = generator(7)
    first, second = density.sample(50, rng), density.sample(50, rng)
    assert torch.equal(first, density.sample(50, generator(7)))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_densities_refuse_what_is_not_one():
    with pytest.raises(ConfigurationError, match="positive definite"):
        Gaussian(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ConfigurationError, match="symmetric"):
        Gaussian(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ShapeError, match=r"\(d,\) and \(d, d\)"):
        Gaussian(torch.zeros(2), torch.eye(3))
    with pytest.raises(ConfigurationError, match="weights"):
        GaussianMixture(torch.zeros(2, 2), 1.0, torch.tensor([1.0, 0.0]))
    with pytest.raises(ConfigurationError, match="low"):
        Uniform(torch.zeros(2), torch.tensor([1.0, 0.0]))
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\)"):
        Funnel(3)(None, torch.zeros(5, 2))
    for wrong in (lambda: Ring(width=0.0), lambda: DoubleWell(math.nan), lambda: Funnel(1)):
        with pytest.raises(ConfigurationError):
            wrong()
