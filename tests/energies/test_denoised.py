"""Energies of noise levels against closed forms: an untrained one, a linear one, images."""

import pytest
import torch
from problems import f64, randn
from torch import nn

from ebmlab.energies import Denoised, Gaussian
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import Denoiser
from ebmlab.objectives import MultiScaleScore


class Linear(nn.Module):
    """f(σ, y) = A y / (1 + σ)."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, sigma, y):
        return y @ self.matrix.mT / (1 + sigma)


def test_an_untrained_denoiser_is_a_unit_gaussian_under_noise():
    torch.manual_seed(0)
    energy, y = Denoised(Denoiser(3, width=8)).double(), randn(5, 3)
    for sigma in (0.05, 1.0, 7.0):
        u = energy.given(f64([sigma]))
        noisy = Gaussian(torch.zeros(3).double(), (1 + sigma**2) * torch.eye(3).double())
        got, due = u.value_and_grad(y), noisy.given().value_and_grad(y)
        torch.testing.assert_close(got[0] - got[0][0], due[0] - due[0][0])
        torch.testing.assert_close(got[1], due[1])


def test_values_and_slopes_of_a_linear_denoiser():
    matrix, y = randn(3, 3), randn(4, 3, seed=1)
    energy = Denoised(Linear(matrix), low=0.3)
    for x, sigma in ((f64([[0.7]]), 0.7), (None, 0.3)):
        off = torch.eye(3, dtype=torch.float64) - matrix / (1 + sigma)
        due = (y @ off.mT).square().sum(-1) / (2 * sigma**2)
        torch.testing.assert_close(energy(x, y).detach(), due)
        slope = energy.given(x).value_and_grad(y)[1]
        torch.testing.assert_close(slope, y @ off.mT @ off / sigma**2)


def test_images_have_a_level_each_and_all_pairs_are_a_matrix():
    class Halved(nn.Module):
        def forward(self, sigma, y):
            return 0.5 * y

    energy, y = Denoised(Halved(), y_ndim=3), torch.ones(4, 1, 2, 2)
    sigma = torch.tensor([[1.0], [0.5]])
    torch.testing.assert_close(
        energy(sigma[:, None], y[None]), torch.tensor([[0.5], [2.0]]).expand(2, 4)
    )


def test_levels_that_do_not_fit_are_refused():
    energy = Denoised(Denoiser(2, width=4))
    with pytest.raises(ShapeError, match="x has shape"):
        energy(torch.ones(3, 2), torch.zeros(3, 2))
    with pytest.raises(ConfigurationError, match="low"):
        Denoised(Denoiser(2, width=4), low=0.0)


def test_the_true_energy_of_noisy_data_has_the_least_loss():
    """Slopes of N(0, 1 + σ²) leave d/2 · mean 1/(1 + σ²) of the loss, and others leave more."""
    torch.manual_seed(0)
    energy, y = Denoised(Denoiser(2, width=4)).double(), randn(20_000, 2)
    objective, rng = MultiScaleScore(0.2, 2.0, time=0.0, draws=1), torch.Generator()
    found = objective(energy, None, y, rng.manual_seed(0)).value.detach()
    along = (torch.arange(100_000).double() + 0.5).div(100_000).square()
    sigma = 0.2 * 10**along
    due = (1 / (1 + sigma.square())).mean()
    # Five standard errors of 20,000: a false alarm in 6e-7 of the seeds.
    assert abs(float(found - due)) < 5 * 1.0 / 20_000**0.5
    wider = objective(0.5 * energy, None, y, rng.manual_seed(0)).value.detach()
    assert float(wider - found) > 0.03
