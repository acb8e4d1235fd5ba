"""Kernels at a temperature and along a schedule of temperatures."""

import math
import pickle

import pytest
import torch
from problems import (
    F64,
    RATE,
    f64,
    fits,
    generator,
    has_variance,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
)
from samplers_support import bowl
from scipy import stats
from torch import Tensor

from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.samplers import MALA, GibbsWithGradients, Langevin, run
from ebmlab.samplers.annealed import Annealed, geometric, linear
from ebmlab.samplers.heated import Heated
from ebmlab.samplers.underdamped import Underdamped
from ebmlab.types import Potential, State


class Lukewarm(Heated):
    """Forgets that the gradient is to be tempered as the energy is."""

    def move(self, u, state, noise):
        halfway = Potential(u, lambda y: (u(y) / self.temperature, u.value_and_grad(y)[1]))
        cold = state._replace(energy=state.energy / self.temperature)
        moved, info = self.kernel.move(halfway, cold, noise)
        return moved._replace(energy=moved.energy * self.temperature), info


def tilted(y: Tensor) -> Tensor:
    """Two wells, the left one about 1 higher."""
    return (y.square() - 1).square().sum(-1) + 0.5 * (1 - y).sum(-1)


@pytest.mark.parametrize("temperature", [0.3, 4.0])
def test_a_tempered_kernel_samples_at_its_temperature(temperature):
    start = math.sqrt(temperature) * randn(20_000, 2, seed=1)
    chain = run(
        Heated(MALA(1.0 * temperature), temperature), bowl, start, steps=20, rng=generator(2)
    )
    assert has_variance(chain.state.y, temperature)
    assert not has_variance(chain.state.y, 1.0)
    torch.testing.assert_close(chain.state.energy, bowl(chain.state.y))
    torch.testing.assert_close(chain.state.grad, chain.state.y)
    assert isinstance(chain.state, State)


def test_a_skewed_law_is_kept_and_another_temperature_or_gradient_is_seen():
    # Twice the energy at T = 2 is the law itself.
    def double(y: Tensor) -> Tensor:
        return 2 * log_gamma(y)

    start = log_gamma_draws(20_000, seed=5)
    chain = run(Heated(MALA(0.5), 2.0), double, start, steps=20, rng=generator(6))
    assert fits(chain.state.y[:, 0], log_gamma_cdf)
    cold = run(Heated(MALA(0.5), 1.0), double, start, steps=20, rng=generator(6))
    assert not fits(cold.state.y[:, 0], log_gamma_cdf)
    hot = Heated(Langevin(0.2), 3.0)
    assert has_variance(_spread(hot), 3 / (1 - 0.2 / 3 / 2))
    assert not has_variance(_spread(Lukewarm(Langevin(0.2), 3.0)), 3 / (1 - 0.2 / 3 / 2))


def _spread(kernel: Heated) -> Tensor:
    start = math.sqrt(3) * randn(20_000, 2, seed=1)
    return run(kernel, bowl, start, steps=60, rng=generator(2)).state.y


def test_temperature_and_step_size_are_langevin_s_own():
    # ε T on u / T is y - ε ∇u + √(2εT) ξ.
    plain = run(Langevin(0.1, 5.0), log_gamma, randn(9, 2), steps=20, rng=generator(1))
    hot = run(Heated(Langevin(0.5), 5.0), log_gamma, randn(9, 2), steps=20, rng=generator(1))
    torch.testing.assert_close(hot.state, plain.state)


def test_momenta_are_carried_and_temperatures_may_differ_by_chain():
    temperature = torch.linspace(0.5, 8, 20_000, dtype=F64)
    start = temperature.sqrt()[:, None] * randn(20_000, 2, seed=1)
    chain = run(Heated(Underdamped(0.5), temperature), bowl, start, steps=20, rng=generator(2))
    assert has_variance(chain.state.y / temperature.sqrt()[:, None], 1.0)
    # Of BAOAB on ½ y² / T the whitened momentum has variance 1 - ε² / 4T.
    narrow = (1 - 0.25 / (4 * temperature)).sqrt()[:, None]
    assert has_variance(chain.state.momentum / narrow, 1.0)


def test_a_kernel_of_discrete_y_is_tempered_too():
    bits = torch.cartesian_prod(*[f64([0.0, 1.0])] * 3)

    def u(y: Tensor) -> Tensor:
        return y @ f64([2.0, -1.0, 0.5]) + 2 * y[:, 0] * y[:, 1]

    kernel, start = Heated(GibbsWithGradients(), 3.0), torch.zeros(20_000, 3, dtype=F64)
    y = run(kernel, u, start, steps=40, rng=generator(1)).state.y
    counts = torch.bincount((y @ f64([4.0, 2.0, 1.0])).long(), minlength=8).numpy()
    for temperature in (3.0, 1.0):
        due = 20_000 * (-u(bits) / temperature).softmax(0).numpy()
        assert (stats.chisquare(counts, due).pvalue > RATE) == (temperature == 3.0)


def test_an_annealed_kernel_moves_at_the_temperature_of_its_step():
    schedule, y = geometric(8.0, 0.5, steps=10), randn(5, 2)
    sampler = Annealed(MALA(0.3), schedule)
    chain = run(sampler, log_gamma, y, steps=15, rng=generator(1), thin=1)
    state, rng = MALA(0.3).init(Potential(log_gamma), y, generator()), generator(1)
    for step in range(15):
        t = 8.0 * (0.5 / 8.0) ** min(step / 9, 1.0)
        u = Potential(lambda y, t=t: log_gamma(y) / t)
        state, _ = MALA(0.3).step(u, MALA(0.3).init(u, state.y, rng), rng)
        torch.testing.assert_close(chain.samples[step], state.y)
    torch.testing.assert_close(chain.state.energy, log_gamma(chain.state.y))
    assert torch.equal(chain.state.steps, torch.full((5,), 15))


def test_a_cooled_gaussian_has_the_variance_of_its_whole_history():
    # ε T on u / T: v' = (1 - ε)² v + 2 ε T(t), from v = 9.
    schedule, eps, v = linear(9.0, 0.5, steps=20), 0.2, 9.0
    start = 3 * randn(20_000, 2, seed=1)
    for t in schedule(torch.arange(22.0, dtype=F64)).tolist():
        v = (1 - eps) ** 2 * v + 2 * eps * t
    cooling = Annealed(lambda t: Langevin(eps * t), schedule)
    chain = run(cooling, bowl, start, steps=22, rng=generator(2))
    assert has_variance(chain.state.y, v)
    assert not has_variance(chain.state.y, 0.5 / (1 - eps / 2))
    early = run(cooling, bowl, start, steps=21, rng=generator(2))
    assert not has_variance(early.state.y, v)


def test_annealing_finds_the_lower_well_where_descent_does_not():
    start = torch.full((400, 1), -1.0, dtype=F64)
    cooling = Annealed(lambda t: MALA(0.05 * t), geometric(1.5, 0.05, steps=400))
    chain = run(cooling, tilted, start, steps=400, rng=generator(3))
    assert (chain.state.y > 0).double().mean() > 0.85
    cold = run(Heated(MALA(0.0025), 0.05), tilted, start, steps=400, rng=generator(3))
    assert (cold.state.y > 0).double().mean() < 0.02


@pytest.mark.parametrize("schedule", [geometric, linear])
def test_schedules_begin_end_and_stay(schedule):
    t = schedule(5.0, 0.2, steps=7)(torch.arange(20, dtype=F64))
    assert t[0] == 5.0
    torch.testing.assert_close(t[6:], torch.full((14,), 0.2, dtype=F64))
    steps = t[:7].log() if schedule is geometric else t[:7]
    torch.testing.assert_close(steps.diff(), steps.diff()[:1].expand(6))
    assert pickle.loads(pickle.dumps(schedule(5.0, 0.2, 7)))(f64([0.0])) == 5.0
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match=f"start is {wrong}"):
            schedule(wrong, 1.0, 5)
        with pytest.raises(ConfigurationError, match=f"end is {wrong}"):
            schedule(1.0, wrong, 5)
    with pytest.raises(ConfigurationError, match="steps is 1"):
        schedule(2.0, 1.0, 1)


def test_a_bad_way_is_named():
    u = Potential(lambda y: 4 * (y + 1).sqrt().sum(-1))
    for sampler in (Heated(Langevin(0.5), 2.0), Annealed(Langevin(0.5), linear(2.0, 1.0, 5))):
        with pytest.raises(NonFiniteError, match=r"chain \d at step \d"):
            run(sampler, u, f64([[0.0], [0.5]]), steps=100, rng=generator())
