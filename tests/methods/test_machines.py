"""Recipes of Boltzmann machines, against machines small enough to list every state."""

import warnings

import pytest
import torch
from discrete_support import binary_states
from problems import F64, generator, randn

from ebmlab import fit, methods
from ebmlab.energies import RBM, DeepBoltzmann, GaussianRBM
from ebmlab.partition import rbm_log_z
from ebmlab.training import Recording, Stepping
from ebmlab.types import Potential

N = 20_000


def set_at_random(machine, size=0.7):
    with torch.no_grad():
        for i, parameter in enumerate(machine.parameters()):
            parameter.copy_(size * randn(*parameter.shape, seed=i))
    return machine


def exact(machine, y):
    """Gradients of the mean energy of data less that under the machine's own law, listed."""
    v = binary_states(y.shape[1])
    law = (-machine(None, v)).detach().softmax(0)
    value = machine(None, y).mean() - law @ machine(None, v)
    return torch.autograd.grad(value, list(machine.parameters()))


def draws(machine, n, seed=1):
    v = binary_states(len(machine.visible_bias))
    law = (-machine(None, v)).detach().softmax(0)
    return v[torch.multinomial(law, n, replacement=True, generator=generator(seed))]


def test_chains_that_are_exact_give_the_gradient_of_the_likelihood():
    """Each entry is a mean of N independent bounded numbers: 6 standard errors, 1e-7 in all."""
    rbm, y = set_at_random(RBM(5, 3).double()), binary_states(5)[:12]
    y = y.repeat(N // 12 + 1, 1)[:N]
    due = exact(rbm, y)
    v = draws(rbm, N)
    for pool, right in ((v, True), (1 - v, False)):
        method = methods.rbm(rbm, pool, steps=1)
        got = torch.autograd.grad(method(None, y, generator(2)).value, list(rbm.parameters()))
        # Of numbers in [0, 1] no variance is above 1/4.
        worst = max(float((a - b).abs().max()) for a, b in zip(got, due, strict=True))
        assert (worst < 6 * 0.5 / N**0.5) == right


def test_energies_known_from_the_chain_have_the_graph_of_energies_evaluated_again():
    rbm = set_at_random(RBM(5, 3).double())
    y, blocks = binary_states(5)[:9], rbm.conditionals()
    state = blocks.enter(rbm.given(), y)
    other = Potential(lambda v: rbm(None, v))
    known, again = (blocks.energies(u, state) for u in (rbm.given(), other))
    torch.testing.assert_close(known, again)
    parameters, weights = list(rbm.parameters()), randn(9)
    torch.testing.assert_close(
        torch.autograd.grad(weights @ known, parameters),
        torch.autograd.grad(weights @ again, parameters),
    )


def bars_and_stripes():
    """All images of 3 x 3 whose rows, or whose columns, are alike: 16, of which 14 differ."""
    lines = binary_states(3)
    return torch.cat([lines[:, :, None].expand(8, 3, 3), lines[:, None].expand(8, 3, 3)]).flatten(
        1
    )


BEST = -41.589


def total(machine):
    """The log-likelihood of the 16 images, exact."""
    machine, y = machine.double(), bars_and_stripes()
    with torch.no_grad():
        return float((-machine(None, y) - rbm_log_z(machine).log_z).sum())


def test_bars_and_stripes_are_learned_to_the_optimum_by_the_exact_gradient():
    rbm, y, v = (
        RBM(9, 16, std=0.1, rng=generator(0)).double(),
        bars_and_stripes(),
        binary_states(9),
    )
    optimizer = torch.optim.Adam(rbm.parameters(), lr=0.05)
    assert total(rbm) < BEST - 30
    for _ in range(400):
        loss = rbm(None, y).mean() + (-rbm(None, v)).logsumexp(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert BEST - 0.05 * len(y) < total(rbm) < BEST + 1e-3


@pytest.mark.slow
def test_bars_and_stripes_are_learned_by_persistent_chains():
    rng = generator(0)
    rbm, y = RBM(9, 32, std=0.1, rng=rng), bars_and_stripes().float().repeat(16, 1)
    method = methods.rbm(rbm, torch.rand(len(y), 9, generator=rng).round(), steps=10)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.4)
    with warnings.catch_warnings(action="ignore"):  # chains rest on an image for some sweeps
        fit(
            method,
            lambda n, rng: (None, y),
            steps=6000,
            optimizer=optimizer,
            rng=rng,
            stepping=Stepping(schedule=lambda done: (1 - done) ** 2),
            record=Recording(every=1000),
        )
    # Chains lag behind steps that are large to the end: 0.08 nats a datum if they fall linearly,
    # 0.03 so.
    assert BEST - 0.05 * 16 < total(rbm) < BEST + 1e-3


def trains(method, y, lr, steps=150):
    optimizer = torch.optim.SGD(method.parameters(), lr=lr)
    options = {"steps": steps, "optimizer": optimizer, "rng": generator(), "batch_size": len(y)}
    fit(method, (None, y), **options, stepping=Stepping(schedule=lambda done: 1 - done))


def test_a_gaussian_machine_finds_two_modes():
    modes = torch.tensor([[-2.0, 1.0], [2.0, -1.0]])
    y = modes.repeat(64, 1) + 0.5 * randn(128, 2, seed=1).float()
    rbm = GaussianRBM(2, 4, std=0.1, scale=0.5)
    method = methods.rbm(rbm, y[:128], steps=2)

    def nll():
        return float((rbm(None, y).mean() + rbm_log_z(rbm).log_z).detach())

    before = nll()
    trains(method, y, lr=0.05, steps=200)
    # Two Gaussians of equal weight: log 2 + log 2πeσ².
    best = 0.6931 + 2.8379 + 2 * -0.6931
    assert before > best + 3
    assert nll() < best + 0.8


def test_a_deep_machine_learns_what_its_units_cannot_tell_alone():
    y = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]]).repeat(32, 1)
    deep = DeepBoltzmann(4, 4, 2, std=0.3)
    method = methods.deep_boltzmann(deep, torch.rand(64, 6, generator=generator(3)).round())
    states = binary_states(2).float()

    def nll():
        with torch.no_grad():
            energy = -(-deep(None, y[:2, None], states[None])).logsumexp(1)
            return float(energy.mean() + rbm_log_z(deep.rbm).log_z)

    assert nll() > 2.5
    trains(method, y, lr=0.3)
    assert nll() < 1.6  # log 2 at best, 4 log 2 where units are independent
    assert method.encode(y).shape == (64, 2)
    assert method.energy(None, y).dtype != F64
