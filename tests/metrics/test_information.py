"""What z carries, against closed forms."""

import math

import pytest
import torch
from inference_support import _Times
from problems import F64, f64, generator, latent, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import Gaussian, Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Amortized, Descent, Enumerate, Factorized, Nearest, Sampled
from ebmlab.metrics import gain, information
from ebmlab.samplers import MALA

DECODER = f64([[2.0, 0.0], [0.0, 0.5], [1.0, 0.0]])  # orthogonal columns
CODES = f64([[-1.0], [0.0], [2.0]])
Y = randn(6, 3, seed=2)


class Exact(nn.Module):
    """Mean and log std of the posterior of ½ ‖y - W z‖² with z ~ N(0, 1), at T = 1."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1 + DECODER.square().sum(0)
        mean = y @ DECODER / precision
        return mean, (-0.5 * precision.log()).expand_as(mean)


def gaussian() -> Reconstruction:
    half = FunctionEnergy(lambda x, y: 0.5 * (x - y).square().sum(-1), ("x", "y"))
    return Reconstruction(_Times(nn.Parameter(DECODER)), half, takes_x=False)


def test_a_gaussian_carries_its_divergence_from_the_prior():
    free = FreeEnergy(gaussian(), Amortized(Exact()), 1.0)
    precision = 1 + DECODER.square().sum(0)
    mean = Y @ DECODER / precision
    due = 0.5 * (mean.square() + 1 / precision - 1 + precision.log()).sum(-1)
    got = information(free, None, Y, generator())
    torch.testing.assert_close(got, due)
    assert not got.requires_grad


def test_codes_carry_between_nothing_and_log_k():
    energy = latent(lambda y, z: 1e4 * (y - z).square().sum(-1))
    sure = FreeEnergy(energy, Enumerate(CODES), 0.1)
    torch.testing.assert_close(information(sure, None, CODES), f64([math.log(3)] * 3))
    blind = FreeEnergy(latent(lambda y, z: (0 * z + y).sum(-1)), Enumerate(CODES), 0.1)
    torch.testing.assert_close(information(blind, None, CODES), f64([0.0] * 3))
    point = FreeEnergy(energy, Enumerate(CODES))
    assert information(point, None, CODES).tolist() == [0, 0, 0]


def test_what_codes_carry_at_most_is_log_k():
    assert Enumerate(CODES).capacity() == math.log(3)
    assert Factorized(5, 4).capacity() == pytest.approx(5 * math.log(4))
    assert Factorized(5).capacity() == pytest.approx(5 * math.log(2))
    assert Nearest(CODES).capacity() == math.log(3)
    assert Descent(CODES).capacity() == math.inf
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    assert Sampled(MALA(0.1), 1, prior=noise).capacity() == math.inf


def test_the_gain_is_the_mean_over_codes_less_the_free_energy():
    energy, y = latent(lambda y, z: (y - z).square().sum(-1)), f64([[0.0], [1.7]])
    costs = (y - CODES.T).square()
    for temperature in (0.0, 0.5):
        free = FreeEnergy(energy, Enumerate(CODES), temperature)
        exact = costs.amin(1)
        if temperature:
            exact = -temperature * (-costs / temperature).exp().mean(1).log()
        torch.testing.assert_close(gain(free, None, y, CODES), costs.mean(1) - exact)
    assert (gain(FreeEnergy(energy, Enumerate(CODES)), None, y, CODES) > 0.9).all()


def test_the_gain_of_a_gaussian_is_that_of_its_evidence():
    # Four points with the mean and covariance of the prior: exact for a quadratic energy.
    draws = math.sqrt(2) * torch.cat([torch.eye(2), -torch.eye(2)]).double()
    infer = Enumerate(*_grid())
    got = gain(FreeEnergy(gaussian(), infer, 1.0), None, Y, draws)
    total = torch.eye(3, dtype=F64) + DECODER @ DECODER.T
    evidence = 0.5 * torch.einsum("ni,ij,nj->n", Y, torch.linalg.inv(total), Y)
    evidence = evidence + 0.5 * torch.logdet(total)
    guessed = 0.5 * (Y.square().sum(-1) + DECODER.square().sum())
    torch.testing.assert_close(got, guessed - evidence)


def _grid() -> tuple[Tensor, Tensor]:
    """Points of the plane, and the weights of a standard normal prior on them."""
    axis = torch.linspace(-7, 7, 141, dtype=F64)
    points = torch.cartesian_prod(axis, axis)
    return points, (-0.5 * points.square().sum(-1)).exp()


def test_a_model_that_does_not_use_z_gains_nothing():
    free = FreeEnergy(latent(lambda y, z: (y + 0 * z).square().sum(-1)), Enumerate(CODES), 0.3)
    torch.testing.assert_close(gain(free, None, f64([[2.0]]), CODES), f64([0.0]))


def test_what_does_not_fit_is_refused():
    energy = latent(lambda y, z: (y - z).square().sum(-1))
    for call in (
        lambda: information(energy, None, CODES),
        lambda: gain(energy, None, CODES, CODES),
    ):
        with pytest.raises(ConfigurationError, match="FreeEnergy"):
            call()
    with pytest.raises(ShapeError, match="z has shape"):
        gain(FreeEnergy(energy, Enumerate(CODES)), None, CODES, CODES[0])
