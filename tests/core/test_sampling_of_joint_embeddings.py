"""A joint embedding is an E(x, y): y is drawn by the same samplers, as codes or as pixels."""

import math

import pytest
import torch
from problems import F64, RATE, fits, generator, randn
from scipy import stats
from torch import nn
from whole_data_support import simclr

from ebmlab import FunctionEnergy, methods, run
from ebmlab.energies import Cosine, Gaussian, JointEmbedding, SquaredDistance
from ebmlab.inference import Enumerate
from ebmlab.networks import Choice
from ebmlab.samplers import MALA, Langevin

CHAINS = 3000


def drawn(u, start, step=0.7, steps=60):
    return run(MALA(step), u, start, steps=steps, rng=generator()).state.y


def test_codes_of_a_squared_distance_are_gaussian_about_the_code_of_x():
    energy = JointEmbedding(nn.Linear(5, 3).double(), head=SquaredDistance())
    head, hx, _ = energy.embed(randn(1, 5), randn(1, 5, seed=1))
    y = drawn(head.given(hx), torch.zeros(CHAINS, 3, dtype=F64), step=0.5)
    apart = (y - hx).detach().square().sum(1)
    assert fits(2 * apart, stats.chi2(3).cdf)
    assert not fits(apart, stats.chi2(3).cdf)


def test_codes_with_z_are_drawn_about_every_prediction():
    # F_T at T = 1 is -log of the mean of exp(-‖p_k - h‖²): a mixture, one part for each z.
    method = methods.jepa(
        nn.Identity(),
        1,
        2,
        predictor=Choice(nn.Linear(1, 2).double(), 2),
        infer=Enumerate(torch.eye(2, dtype=F64)),
        temperature=1.0,
    )
    with torch.no_grad():
        layer = method.energy.energy.head.decoder.network
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([-1.2, 1.2]))
    head, hx, _ = method.energy.embed(randn(1, 1), randn(1, 1))
    y = drawn(head.given(hx), torch.zeros(CHAINS, 1, dtype=F64), step=0.9)[:, 0]
    parts = [stats.norm(center, math.sqrt(0.5)) for center in (-1.2, 1.2)]
    assert fits(y, lambda t: 0.5 * sum(part.cdf(t) for part in parts))
    assert not fits(y, parts[0].cdf)


def test_codes_of_a_cosine_turn_about_the_code_of_x():
    # Beside a round prior the angle to hx has density exp(κ cos θ), κ the inverse temperature.
    energy = JointEmbedding(nn.Linear(5, 2).double(), head=Cosine() / 0.5)
    head, hx, _ = energy.embed(randn(1, 5), randn(1, 5, seed=1))
    prior = Gaussian(torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    y = drawn((head + prior).given(hx.detach()), randn(CHAINS, 2, seed=3))
    turned = torch.atan2(y[:, 1], y[:, 0]) - torch.atan2(hx[0, 1], hx[0, 0])
    angle = (turned + math.pi) % (2 * math.pi) - math.pi
    assert fits(angle, stats.vonmises(2.0).cdf, RATE)
    assert not fits(angle, stats.vonmises(1.0).cdf, RATE)


def test_pixels_under_a_linear_encoder_have_the_posterior_of_linear_regression():
    layer = nn.Linear(4, 2, bias=False).double()
    pair = JointEmbedding(nn.Sequential(nn.Flatten(), layer), head=SquaredDistance(), x_ndim=3)
    prior = FunctionEnergy(lambda y: 0.5 * y.square().flatten(-3).sum(-1), ("y",), y_ndim=3)
    x = randn(1, 2, 2)
    y = drawn((pair + prior).given(x), torch.zeros(CHAINS, 1, 2, 2, dtype=F64))
    a = layer.weight.detach()
    precision = 2 * a.T @ a + torch.eye(4, dtype=F64)
    mean = torch.linalg.solve(precision, 2 * a.T @ a @ x.flatten())
    apart = y.flatten(1) - mean
    assert fits(torch.einsum("ni,ij,nj->n", apart, precision, apart), stats.chi2(4).cdf)
    assert not fits(y.flatten(1).square().sum(1), stats.chi2(4).cdf)


@pytest.mark.parametrize("sampler", [Langevin(1e-3, temperature=1e-3), MALA(0.02)])
def test_pixels_of_a_trained_embedding_come_to_fit_x(sampler):
    method, images, _ = simclr()
    u = (method.energy / 0.05).given(images[0])
    start = torch.rand(16, 1, 8, 8, generator=generator())
    kept = start.clone()
    chain = run(sampler, u, start, steps=100, rng=generator())
    before, after = method.energy(images[:1], start), method.energy(images[:1], chain.state.y)
    assert after.mean() < before.mean() - 0.3
    assert torch.equal(start, kept)
    assert all(p.grad is None for p in method.parameters())
