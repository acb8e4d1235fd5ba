"""The straight line between two potentials."""

import math

import numpy as np
import torch
from problems import COVARIANCE_2, F64, f64, fits, generator, log_gamma, log_gamma_cdf, randn
from samplers_support import bowl

from ebmlab.energies import Gaussian, Uniform
from ebmlab.partition.course import Path
from ebmlab.samplers import MALA, run
from ebmlab.types import Potential


def test_a_path_of_gaussians_is_a_gaussian():
    start = Gaussian(f64([0.0, 0.0]), torch.eye(2, dtype=F64))
    end = Gaussian(f64([3.0, -1.0]), COVARIANCE_2)
    path, y = Path(start.given(), end.given()), randn(6, 2)
    for t in (0.0, 0.3, 1.0):
        precision = (1 - t) * torch.eye(2, dtype=F64) + t * torch.linalg.inv(COVARIANCE_2)
        mean = torch.linalg.solve(precision, t * torch.linalg.solve(COVARIANCE_2, end.mean))
        between = Gaussian(mean, torch.linalg.inv(precision))
        energy, grad = path.at(t).value_and_grad(y)
        due, slope = between.given().value_and_grad(y)
        torch.testing.assert_close(energy - energy[0], due - due[0])
        torch.testing.assert_close(grad, slope)
        torch.testing.assert_close(path.at(t)(y), energy)
    torch.testing.assert_close(path.slope(y), (path.at(0.7)(y) - path.at(0.2)(y)) / 0.5)


def test_chains_may_stand_at_different_places_of_a_path():
    path, y = Path(Potential(bowl), Potential(log_gamma)), randn(5, 2)
    t = f64([0.0, 0.25, 0.5, 0.75, 1.0])
    energy, grad = path.at(t).value_and_grad(y)
    for i in range(5):
        alone = path.at(float(t[i])).value_and_grad(y[i : i + 1])
        torch.testing.assert_close((energy[i : i + 1], grad[i : i + 1]), alone)
    chain = run(MALA(0.3), path.at(0.5), randn(20_000, 1, seed=1), steps=40, rng=generator(1))
    grid = torch.linspace(-12, 5, 4001, dtype=F64)[:, None]
    below = (-(bowl(grid) + log_gamma(grid)) / 2).exp().cumsum(0)
    below = below / below[-1]
    assert fits(chain.state.y[:, 0], lambda v: np.interp(v, grid[:, 0], below))
    assert not fits(chain.state.y[:, 0], log_gamma_cdf)


def test_an_end_without_weight_may_be_infinite():
    box = Uniform(f64([-1.0]), f64([1.0])).given()
    path, y = Path(box, Potential(bowl)), f64([[0.5], [3.0]])
    torch.testing.assert_close(path.at(1.0)(y), bowl(y))
    torch.testing.assert_close(path.at(1.0).value_and_grad(y)[1], y)
    assert torch.equal(path.at(0.5)(y), f64([0.0625, math.inf]))
    back = Path(Potential(bowl), box)
    torch.testing.assert_close(back.at(0.0)(y), bowl(y))
