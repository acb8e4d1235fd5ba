"""HMC against a loop written by hand, reversed in time, and against exact laws."""

import dataclasses

import pytest
import torch
from problems import (
    F64,
    f64,
    fits,
    generator,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
    root,
    root_cdf,
    root_draws,
)
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import ConfigurationError, DivergenceError
from ebmlab.samplers import HMC, Dense, Diagonal, run
from ebmlab.samplers._steps.leapfrog import Phase, trajectory
from ebmlab.samplers.hmc import HMCNoise
from ebmlab.types import Potential, State


@dataclasses.dataclass(frozen=True, eq=False)
class Kineticless(HMC):
    """A faulty HMC whose test forgets the kinetic energies."""

    def move(self, u: Potential, state: State, noise: HMCNoise):
        end = self.propose(u, state, noise)
        accept = noise.threshold < (state.energy - end.energy).exp()
        moved = State(
            torch.where(accept[:, None], end.y, state.y),
            torch.where(accept, end.energy, state.energy),
            torch.where(accept[:, None], end.grad, state.grad),
        )
        return moved, super().move(u, state, noise)[1]


FACTOR = f64([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-0.3, 0.7, 0.1]])


def quartic(y: Tensor) -> Tensor:
    return (0.25 * y.pow(4) + y * y.roll(1, -1)).sum(-1)


def force(q: Tensor) -> Tensor:
    return -(q**3 + q.roll(1, -1) + q.roll(-1, -1))


def test_a_transition_equals_one_written_by_hand():
    mass = torch.linalg.inv(FACTOR @ FACTOR.T)
    kernel, u = HMC(0.3, 4, Dense(FACTOR), jitter=0.5), Potential(quartic)
    state = kernel.init(u, randn(50, 3), generator())
    noise = kernel.draw(state, kernel.source(generator(1)))
    moved, info = kernel.move(u, state, noise)

    # Momenta of their own units, p ~ N(0, M⁻¹), and the mass matrix inverted.
    eps = 0.3 * (0.5 + float(noise.place))
    q, p = state.y, torch.linalg.solve(FACTOR.T, noise.momentum.T).T

    def hamiltonian(q: Tensor, p: Tensor) -> Tensor:
        return quartic(q) + 0.5 * ((p @ FACTOR) ** 2).sum(-1)

    before = hamiltonian(q, p)
    for _ in range(4):
        p = p + 0.5 * eps * force(q)
        q = q + eps * torch.linalg.solve(mass, p.T).T
        p = p + 0.5 * eps * force(q)
    probability = (before - hamiltonian(q, p)).exp().clamp(max=1)
    accept = noise.threshold < probability
    torch.testing.assert_close(info.acceptance, probability)
    torch.testing.assert_close(moved.y, torch.where(accept[:, None], q, state.y))
    torch.testing.assert_close(moved.energy, quartic(moved.y))
    torch.testing.assert_close(moved.grad, -force(moved.y))
    assert 0 < int(accept.sum()) < 50


def test_forces_are_kept_from_step_to_step():
    calls = []

    def counted(y: Tensor) -> Tensor:
        calls.append(len(y))
        return bowl(y)

    run(HMC(0.2, 7), counted, randn(5, 2), steps=3, rng=generator())
    assert len(calls) == 3 * 7 + 1


@pytest.mark.parametrize("metric", [Dense(FACTOR), Diagonal(f64([1.0, 0.2, 3.0]))])
def test_a_trajectory_goes_back_and_keeps_volume(metric):
    u, start = Potential(quartic), randn(6, 3)
    there = Phase(start, *u.value_and_grad(start), randn(6, 3, seed=1))
    end = trajectory(u, metric, there, 0.1, 9)
    back = trajectory(u, metric, end._replace(momentum=-end.momentum), 0.1, 9)
    torch.testing.assert_close(back.y, start)
    torch.testing.assert_close(back.momentum, -there.momentum)
    reversed_time = trajectory(u, metric, end, -0.1, 9)
    torch.testing.assert_close(reversed_time.y, start)
    assert (end.y - start).abs().max() > 0.1

    def flow(phase: Tensor) -> Tensor:
        y, momentum = phase[None, :3], phase[None, 3:]
        for _ in range(9):
            momentum = momentum + 0.05 * metric.gather(force(y))
            y = y + 0.1 * metric.spread(momentum)
            momentum = momentum + 0.05 * metric.gather(force(y))
        return torch.cat([y[0], momentum[0]])

    first = torch.cat([start[0], there.momentum[0]])
    torch.testing.assert_close(flow(first), torch.cat([end.y[0], end.momentum[0]]))
    volume = torch.linalg.det(torch.autograd.functional.jacobian(flow, first))
    torch.testing.assert_close(volume, torch.ones((), dtype=F64))


TARGETS = {
    "skewed": (log_gamma, log_gamma_draws, log_gamma_cdf, HMC(0.5, 3, jitter=0.2)),
    "NaN below -1": (root, root_draws, root_cdf, HMC(0.15, 3)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_exact_draws_stay_exact(name):
    u, draws, cdf, kernel = TARGETS[name]
    start = draws(20_000, seed=5)
    for steps in (1, 20):
        chain = run(kernel, u, start, steps=steps, rng=generator(6))
        assert fits(chain.state.y[:, 0], cdf)
    assert 0.3 < chain.acceptance.mean() < 0.99
    assert (chain.info.nonfinite.sum() > 0) == (name == "NaN below -1")
    assert torch.all(chain.info.divergent >= chain.info.nonfinite)


def test_a_wrong_acceptance_is_seen():
    wrong = run(
        Kineticless(0.5, 3), log_gamma, log_gamma_draws(20_000, seed=5), steps=20, rng=generator(6)
    )
    assert not fits(wrong.state.y[:, 0], log_gamma_cdf)


def test_a_fixed_length_may_close_on_itself_and_jitter_opens_it():
    # cos(step angle) = 1 - ε²/2: six steps of ε = 1 are a full turn.
    start = randn(200, 1)
    closed = run(HMC(1.0, 6), bowl, start, steps=20, rng=generator())
    torch.testing.assert_close(closed.state.y, start)
    opened = run(HMC(1.0, 6, jitter=0.2), bowl, start, steps=20, rng=generator())
    assert (opened.state.y - start).abs().mean() > 0.5


def test_large_errors_are_counted_as_divergences():
    chain = run(HMC(100.0, 5), bowl, 1 + randn(8, 2).abs(), steps=3, rng=generator())
    assert torch.equal(chain.info.divergent, torch.full((8,), 3.0, dtype=F64))
    assert torch.equal(chain.acceptance, torch.zeros(8, dtype=F64))
    assert torch.equal(chain.info.nonfinite, torch.zeros(8, dtype=F64))


def test_a_bottomless_energy_raises():
    start = torch.zeros(4, 2, dtype=F64)
    with pytest.raises(DivergenceError, match="without bound"):
        run(HMC(0.5, 5), lambda y: -1e7 * y.sum(-1), start, steps=50, rng=generator())


@pytest.mark.parametrize("wrong", [{"leapfrog_steps": 0}, {"jitter": 1.0}, {"jitter": -0.1}])
def test_a_wrong_configuration_is_named(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        HMC(0.1, **wrong)
