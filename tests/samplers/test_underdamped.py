"""BAOAB: its law on a Gaussian is known exactly, at any step size."""

import math

import pytest
import torch
from problems import COVARIANCE_2, F64, PLANE, f64, generator, has_variance, randn
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import NonFiniteError
from ebmlab.samplers import Dense, Diagonal, run
from ebmlab.samplers.underdamped import Underdamped, UnderdampedState
from ebmlab.types import Info, Potential


class Otherwise(Underdamped):
    """The splitting OBABO, which is exact in the momentum and not in y."""

    def draw(self, state, source):
        return source.normal(state.y), source.normal(state.y)

    def move(self, u, state, noise):
        keep = math.exp(-self.friction * self.step_size / 2)
        heat = math.sqrt(self.temperature * (1 - keep**2))
        first, second = noise
        momentum = keep * state.momentum + heat * first - self.step_size / 2 * state.grad
        y = state.y + self.step_size * momentum
        energy, grad = u.value_and_grad(y)
        momentum = keep * (momentum - self.step_size / 2 * grad) + heat * second
        return UnderdampedState(y, energy, grad, momentum), Info(torch.ones_like(energy))


class Loud(Underdamped):
    """BAOAB with the noise of √(2γεT), right to first order only."""

    def move(self, u, state, noise):
        right = math.sqrt(1 - math.exp(-2 * self.friction * self.step_size))
        wrong = math.sqrt(2 * self.friction * self.step_size)
        return super().move(u, state, noise * wrong / right)


def stationary(kernel: Underdamped, precision: Tensor) -> Tensor:
    """The covariance (2d, 2d) of (y, r) that the kernel keeps where u = ½ yᵀ P y.

    Every step is linear, (y, r)' = A (y, r) + B ξ; the columns of A and B are seen by moving basis
    vectors, and Σ = A Σ Aᵀ + B Bᵀ is solved.
    """
    d = len(precision)
    u = Potential(lambda y: 0.5 * (y @ precision * y).sum(-1))
    eye, zero = torch.eye(d, dtype=F64), torch.zeros(d, d, dtype=F64)
    y, r, push = (
        torch.cat(parts) for parts in ((eye, zero, zero), (zero, eye, zero), (zero, zero, eye))
    )
    state = UnderdampedState(y, *u.value_and_grad(y), r)
    moved, _ = kernel.move(u, state, push)
    columns = torch.cat([moved.y, moved.momentum], 1).mT
    a, b = columns[:, : 2 * d], columns[:, 2 * d :]
    flat = torch.eye((2 * d) ** 2, dtype=F64) - torch.kron(a, a)
    return torch.linalg.solve(flat, (b @ b.mT).flatten()).reshape(2 * d, 2 * d)


@pytest.mark.parametrize("step_size", [0.05, 0.6, 1.2])
@pytest.mark.parametrize("friction", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_y_is_exact_on_a_gaussian_at_any_step_size_and_the_momentum_is_not(
    step_size, friction, temperature
):
    precision = torch.linalg.inv(COVARIANCE_2)
    # The largest curvature is 2.9: steps explode beyond 2 / √2.9 = 1.17.
    step_size = min(step_size, 1.1)
    got = stationary(Underdamped(step_size, friction, temperature), precision)
    torch.testing.assert_close(got[:2, :2], temperature * COVARIANCE_2)
    eye = torch.eye(2, dtype=F64)
    due = temperature * (eye - step_size**2 / 4 * precision)
    torch.testing.assert_close(got[2:, 2:], due)
    torch.testing.assert_close(got[:2, 2:], torch.zeros(2, 2, dtype=F64))


def test_a_metric_keeps_y_exact_and_its_target_round():
    factor = torch.linalg.cholesky(COVARIANCE_2)
    got = stationary(Underdamped(1.5, metric=Dense(factor)), torch.linalg.inv(COVARIANCE_2))
    torch.testing.assert_close(got[:2, :2], COVARIANCE_2)
    torch.testing.assert_close(got[2:, 2:], (1 - 1.5**2 / 4) * torch.eye(2, dtype=F64))


def test_a_wrong_noise_is_not_exact():
    got = stationary(Loud(0.6), torch.eye(2, dtype=F64))
    assert got[0, 0] > 1.3
    chain = run(Loud(0.6), bowl, randn(20_000, 2, seed=1), steps=40, rng=generator(2))
    assert not has_variance(chain.state.y, 1.0)


def test_another_splitting_has_another_law():
    # Of OBABO, y has variance T / (1 - ε²/4), and r has T.
    chain = run(Otherwise(0.8), bowl, randn(20_000, 1, seed=1), steps=40, rng=generator(2))
    assert has_variance(chain.state.y, 1 / (1 - 0.8**2 / 4))
    assert not has_variance(chain.state.y, 1.0)
    assert has_variance(chain.state.momentum, 1.0)
    assert not has_variance(chain.state.momentum, 1 - 0.8**2 / 4)


@pytest.mark.parametrize(("shape", "dtype"), [((), torch.float32), ((1, 2, 2), F64)])
def test_chains_reach_the_exact_variances(shape, dtype):
    start = 3 * torch.ones(20_000, *shape, dtype=dtype)
    chain = run(Underdamped(1.0, temperature=0.5), bowl, start, steps=40, rng=generator(3))
    assert chain.state.y.shape == start.shape
    assert chain.state.momentum.dtype == dtype
    assert has_variance(chain.state.y, 0.5)
    assert has_variance(chain.state.momentum, 0.5 * (1 - 1 / 4))
    assert not has_variance(chain.state.momentum, 0.5)
    assert torch.equal(chain.acceptance, torch.ones(20_000, dtype=dtype))


def test_momenta_start_at_the_temperature():
    state = Underdamped(0.1, temperature=3.0).init(
        Potential(bowl), torch.zeros(20_000, 2, dtype=F64), generator(1)
    )
    assert has_variance(state.momentum, 3.0)
    assert not has_variance(state.momentum, 1.0)


@pytest.mark.parametrize("name", ["double well", "disc"])
def test_smooth_targets_are_sampled_to_second_order(name):
    # The bias of order ε² is far below what 20,000 chains can tell at ε = 0.1.
    problem = PLANE[name]
    start = problem.density.sample(20_000, generator(4)).double()
    kernel = Underdamped(0.1, friction=2.0, metric=Diagonal(f64([1.0, 0.8])))
    chain = run(kernel, problem.density.given(), start, steps=60, rng=generator(5))
    assert problem.accepts(chain.state.y)
    loud = Loud(0.1, friction=10.0)
    wrong = run(loud, problem.density.given(), start, steps=60, rng=generator(5))
    assert not problem.accepts(wrong.state.y)


def test_one_step_is_baoab_written_out():
    y, eps, gamma, t = randn(5, 3), 0.3, 1.7, 0.6
    s = f64([0.5, 1.0, 2.0])
    kernel = Underdamped(eps, gamma, t, Diagonal(s))
    u = Potential(lambda y: y.pow(4).sum(1))
    state = kernel.init(u, y, generator(1))
    noise = kernel.draw(state, kernel.source(generator(2)))
    after, _ = kernel.move(u, state, noise)
    r = state.momentum - eps / 2 * s * 4 * y**3
    y = y + eps / 2 * s * r
    r = math.exp(-gamma * eps) * r + math.sqrt(t * (1 - math.exp(-2 * gamma * eps))) * noise
    y = y + eps / 2 * s * r
    r = r - eps / 2 * s * 4 * y**3
    torch.testing.assert_close((after.y, after.momentum), (y, r))
    torch.testing.assert_close((after.energy, after.grad), (y.pow(4).sum(1), 4 * y**3))


def test_a_step_takes_one_gradient():
    calls = []

    def u(y: Tensor) -> Tensor:
        calls.append(1)
        return bowl(y)

    chain = run(Underdamped(0.3), u, randn(4, 2), steps=7, rng=generator(1))
    assert len(calls) == 8
    run(Underdamped(0.3), u, chain.state, steps=5, rng=generator(1))
    assert len(calls) == 13


def test_without_temperature_it_descends():
    chain = run(Underdamped(0.3, temperature=0.0), bowl, randn(4, 2), steps=200, rng=generator())
    assert chain.state.energy.max() < 1e-12


def test_numbers_may_be_tensors():
    plain = Underdamped(0.3, 2.0, 0.5)
    tensors = Underdamped(*(f64(value) for value in (0.3, 2.0, 0.5)))
    one, two = (run(k, bowl, randn(4, 2), steps=5, rng=generator()) for k in (plain, tensors))
    torch.testing.assert_close(one.state.y, two.state.y)


def test_beyond_the_longest_step_the_dynamics_explode_and_are_not_silently_repaired():
    with pytest.raises(NonFiniteError, match=r"chain \d at step \d+.*smaller"):
        run(Underdamped(2.5), bowl, torch.ones(3, 2), steps=2000, rng=generator())
