"""The RBM of Gaussian visible units against sums over h and integrals over v."""

import math

import numpy as np
import pytest
import torch
from discrete_support import binary_states
from problems import F64, RATE, fits, generator, log_integral, randn
from torch import distributions

from ebmlab.energies import GaussianRBM
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.partition import rbm_log_z
from ebmlab.samplers import Gibbs, run

WIDE = torch.linspace(-16, 16, 401, dtype=F64)


def machine(visible=2, hidden=3, seed=0):
    rbm = GaussianRBM(visible, hidden, learned=True).double()
    with torch.no_grad():
        for i, parameter in enumerate(rbm.parameters()):
            parameter.copy_(0.7 * randn(*parameter.shape, seed=seed + i))
    return rbm


def table(rbm, v):
    """E(v, h) of all pairs, (2^hidden, n), unit by unit."""
    b, c, w, scale = rbm.visible_bias, rbm.hidden_bias, rbm.weights, rbm.log_scale.exp()
    own = ((v - b) ** 2 / (2 * scale**2)).sum(1)
    h = binary_states(rbm.hidden)
    return own - (h @ c)[:, None] - h @ (v / scale**2 @ w).mT


def test_values_and_gradients_are_those_of_the_sum_over_hidden_states():
    rbm, v = machine(), 2 * randn(9, 2, seed=7)
    due = -(-table(rbm, v)).logsumexp(0)
    torch.testing.assert_close(rbm(None, v), due)
    torch.testing.assert_close(rbm.joint()(None, v, binary_states(3)[:, None]), table(rbm, v))
    parameters, weights = list(rbm.parameters()), randn(9, seed=8)
    assert len(parameters) == 4
    got = torch.autograd.grad(weights @ rbm(None, v), parameters)
    torch.testing.assert_close(got, torch.autograd.grad(weights @ due, parameters))
    free = FreeEnergy(rbm.joint(), Enumerate(binary_states(3)), 1.0)
    torch.testing.assert_close(free(None, v), due + 3 * math.log(2))


def test_the_visible_units_are_integrated_out_and_log_z_is_a_quadrature():
    rbm = machine()
    for h in binary_states(3)[[0, 3, 7], None]:
        integral = log_integral(lambda v, h=h: rbm.joint()(None, v, h), WIDE, WIDE)
        assert float(rbm.hidden_energy(h).detach()) == pytest.approx(-integral, abs=1e-9)
    log_z = float(rbm_log_z(rbm).log_z)
    assert log_z == pytest.approx(log_integral(lambda v: rbm(None, v), WIDE, WIDE), abs=1e-9)
    assert abs(log_z - float(rbm_log_z(machine(seed=1)).log_z)) > 0.1


def test_conditionals_are_those_of_the_joint_law():
    rbm, v, h = machine(), randn(5, 2), binary_states(3)
    weights = (-table(rbm, v)).softmax(0)
    torch.testing.assert_close(rbm.encode(v), weights.mT @ h)
    means = rbm.visible_mean(h)
    normal = distributions.Normal(means[:, None], rbm.log_scale.exp())
    joint = -table(rbm, v) + rbm.hidden_energy(h)[:, None]
    torch.testing.assert_close(normal.log_prob(v).sum(-1), joint)


def test_block_gibbs_keeps_exact_draws_and_finds_their_law():
    rbm, n = machine(1, 2), 4000
    grid, sampler = WIDE[:, None], Gibbs(rbm.conditionals())
    density = (-rbm(None, grid)).detach().softmax(0)
    below = density.cumsum(0) - density / 2

    def cdf(v):
        return np.interp(v, WIDE, below)

    hidden = (-rbm.hidden_energy(binary_states(2))).softmax(0)
    picked = torch.multinomial(hidden, n, replacement=True, generator=generator(1))
    h = binary_states(2)[picked]
    noise = torch.randn(n, 1, generator=generator(2), dtype=F64)
    exact = rbm.draw_visible(h, noise).detach()
    for start, steps in ((exact, 2), (torch.full((n, 1), 5.0, dtype=F64), 40)):
        chain = run(sampler, rbm.given(), start, steps=steps, rng=generator(3))
        assert fits(chain.state.y[:, 0], cdf)
        torch.testing.assert_close(chain.state.energy, rbm(None, chain.state.y).detach())
    assert not fits(chain.state.y[:, 0] + 0.3, cdf)
    begun = run(sampler, rbm.given(), torch.full((n, 1), 5.0, dtype=F64), steps=1, rng=generator())
    assert not fits(begun.state.y[:, 0], cdf, RATE)


def test_what_does_not_fit_is_refused():
    rbm, rng = GaussianRBM(2, 3), generator()
    sampler = Gibbs(rbm.conditionals())
    with pytest.raises(ConfigurationError, match="scale is 0"):
        GaussianRBM(2, 3, scale=0.0)
    with pytest.raises(ShapeError, match=r"\(\*batch, 2\)"):
        rbm(None, torch.zeros(4, 3))
    with pytest.raises(NonFiniteError, match="must be finite"):
        run(sampler, rbm.given(), torch.tensor([[0.0, torch.inf]]), steps=1, rng=rng)
    with pytest.raises(ConfigurationError, match="not this machine's"):
        run(sampler, (rbm / 2.0).given(), torch.ones(2, 2), steps=1, rng=rng)
