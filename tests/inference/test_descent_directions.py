"""Momentum and adaptive moments against their definitions, convergence, and resuming."""

import math

import pytest
import torch
from problems import F64, conditional, f64, randn
from solvers_support import counted, scaled_valley, starts
from torch import Tensor

from ebmlab.errors import ConfigurationError, DivergenceError
from ebmlab.inference import AdaptiveMoments, Descent, HeavyBall, NotConvergedWarning, Steepest

DIRECTIONS = [Steepest(), HeavyBall(), AdaptiveMoments()]
every = pytest.mark.parametrize("direction", DIRECTIONS, ids=str)


def test_momentum_is_its_recurrence():
    direction, z = HeavyBall(0.7), randn(4, 3, seed=1)
    size, velocity = f64([0.1, 0.2, 0.3, 0.4]), torch.zeros_like(z)
    memory = direction.begin(z)
    for seed in range(5):
        grad = randn(4, 3, seed=seed + 2)
        velocity = 0.7 * velocity - size[:, None] * grad
        step, memory = direction.step(memory, grad, size)
        torch.testing.assert_close(step, velocity)


def test_adaptive_moments_are_torch_s():
    size, rule = 0.05, AdaptiveMoments(floor=1e-8)
    theirs = randn(1, 3, seed=1).requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=size)
    ours = theirs.detach().clone()
    memory = rule.begin(ours)
    for _ in range(20):
        grad = 4 * ours**3 + ours
        step, memory = rule.step(memory, grad, f64([size]))
        ours = ours + step
        theirs.grad = None
        (theirs.pow(4) + 0.5 * theirs.square()).sum().backward()
        optimizer.step()
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-9, atol=1e-9)


@every
def test_every_direction_reaches_the_minimum_and_never_rises(direction):
    # (z1 - 1)² + 3 (z2 - z1²)²: a bent valley that ends at (1, 1).
    def bent(z: Tensor) -> Tensor:
        return (z[:, 0] - 1).square() + 3 * (z[:, 1] - z[:, 0] ** 2).square()

    begin = starts(20, 2, 3)
    found = Descent(steps=3000, direction=direction, tolerance=1e-7).minimize(bent, begin)
    torch.testing.assert_close(found.argmin, torch.ones(20, 2, dtype=F64), rtol=0, atol=1e-4)
    for steps in (1, 3, 10):
        early = Descent(steps=steps, direction=direction, step_size=10.0).minimize(
            scaled_valley, begin
        )
        assert (early.energy <= scaled_valley(begin)).all()
        assert torch.equal(early.energy, scaled_valley(early.argmin))


def _evaluations(direction) -> int:
    scales = f64([1.0, 10.0, 200.0])
    u, calls = counted(lambda z: (scales * z.square()).sum(-1))
    Descent(steps=3000, direction=direction, tolerance=1e-3).minimize(u, starts(3, 3, 1))
    return len(calls)


def test_momentum_and_moments_take_fewer_steps_in_a_narrow_valley():
    plain = _evaluations(Steepest())
    assert _evaluations(HeavyBall(0.9)) < plain / 2
    assert _evaluations(AdaptiveMoments()) < plain / 2


@every
def test_rows_are_independent(direction):
    target, begin = randn(6, 3, seed=1), randn(6, 3, seed=2)
    scales = 10 ** torch.linspace(-3, 3, 6, dtype=F64)

    def scaled(rows: slice):
        return lambda z: scales[rows] * (z - target[rows]).pow(4).sum(-1)

    solver = Descent(steps=40, direction=direction)
    together = solver.minimize(scaled(slice(None)), begin)
    for i in range(6):
        alone = solver.minimize(scaled(slice(i, i + 1)), begin[i : i + 1])
        torch.testing.assert_close(alone.argmin[0], together.argmin[i], rtol=0, atol=0)


@every
def test_unrolled_steps_reach_start_and_parameters(direction):
    scale = f64([1.5]).requires_grad_()
    begin = f64([[2.0], [-1.0]]).requires_grad_()
    solver = Descent(steps=5, direction=direction)

    def end(scale: Tensor, begin: Tensor) -> Tensor:
        return solver.minimize(
            lambda z: (scale * z**2 + z**4 / 4).sum(-1), begin, unroll=True
        ).argmin

    assert torch.autograd.gradcheck(end, (scale, begin))


@every
def test_fault_19_unbounded_energies_are_named(direction):
    with pytest.raises(DivergenceError, match="without bound"):
        Descent(steps=2000, direction=direction).minimize(
            lambda z: -z.square().sum(-1), f64([[1.0]])
        )


def test_fault_25_a_tolerance_stops_rows_and_warns_of_those_that_do_not_get_there():
    u, calls = counted(lambda z: z.square().sum(-1))
    Descent(steps=1000, tolerance=1e-3).minimize(u, randn(5, 3, seed=1))
    assert len(calls) < 100
    with pytest.warns(NotConvergedWarning, match="Descent") as caught:
        found = Descent(steps=5, tolerance=1e-6).minimize(scaled_valley, starts(20, 2, 1))
    assert len(caught) == 1
    assert (found.residual > 1e-3).any()
    # Without a tolerance the number of steps is meant, and the residual alone tells.
    silent = Descent(steps=5).minimize(scaled_valley, starts(20, 2, 1))
    torch.testing.assert_close(silent.residual, found.residual)


def test_rows_that_have_converged_stay():
    scales = f64([1.0, 1e-3])
    solver = Descent(steps=300, tolerance=1e-4)
    found = solver.minimize(
        lambda z: scales * (z[:, 0] - 1).square(), torch.zeros(2, 1, dtype=F64)
    )
    alone = solver.minimize(lambda z: (z[:, 0] - 1).square(), torch.zeros(1, 1, dtype=F64))
    assert torch.equal(found.argmin[:1], alone.argmin)


@pytest.mark.parametrize("chunk", [1, 3])
def test_chunks_and_resuming_find_the_same(chunk):
    energy, begin = conditional(), randn(4, 3, seed=8)
    x, y = randn(3, 2, seed=1), randn(5, 2, seed=2)
    whole = Descent(begin, steps=20)(energy, x[:, None], y[None])
    parts = Descent(begin, steps=20, chunk=chunk)(energy, x[:, None], y[None])
    torch.testing.assert_close(parts.atoms, whole.atoms)
    torch.testing.assert_close(parts.residual, whole.residual)
    later = Descent(begin, steps=20).resume(whole.atoms[0])(energy, x[:, None], y[None])
    before, after = (energy(x[:, None], y[None], q.atoms).detach() for q in (whole, later))
    assert (after <= before).all()
    assert (later.residual < whole.residual).any()


def test_arguments_are_refused():
    for wrong in (
        lambda: HeavyBall(1.0),
        lambda: HeavyBall(-0.1),
        lambda: AdaptiveMoments(mean_decay=math.nan),
        lambda: AdaptiveMoments(square_decay=1.0),
        lambda: AdaptiveMoments(floor=0.0),
        lambda: Descent(tolerance=0.0),
        lambda: Descent(chunk=0),
    ):
        with pytest.raises(ConfigurationError):
            wrong()
