"""L-BFGS against SciPy row by row, its memory against the dense update, and what it refuses."""

import math
from collections.abc import Callable

import pytest
import torch
from problems import F64, conditional, f64, latent, randn
from solvers_support import Valleys, counted, minimized, scaled_valley, starts
from torch import Tensor

from ebmlab import FreeEnergy
from ebmlab.errors import (
    ConfigurationError,
    DivergenceError,
    GradientError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.inference import LBFGS, Descent, Enumerate, NotConvergedWarning
from ebmlab.inference._solvers.lbfgs import _Memory

MANY = 16


TEN = [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))]


@pytest.mark.parametrize("seed", TEN)
def test_the_lowest_of_many_starts_is_scipy_s_row_by_row(seed):
    rows = 3
    problem = Valleys(seed, rows)
    begin = torch.stack([starts(rows, problem.dim, 100 * seed + k) for k in range(MANY)])
    ours = torch.stack([LBFGS().minimize(problem.potential(), s).energy for s in begin]).amin(0)
    theirs = f64(
        [
            min(minimized(problem.potential(slice(i, i + 1)), s[i])[0] for s in begin)
            for i in range(rows)
        ]
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def _is_minimum(u: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Rows where the slope vanishes and every curvature is positive."""
    point = z.clone().requires_grad_()
    (grad,) = torch.autograd.grad(u(point).sum(), point, create_graph=True)
    hessian = torch.stack(
        [torch.autograd.grad(g.sum(), point, retain_graph=True)[0] for g in grad.unbind(1)], 1
    )
    return (grad.norm(dim=1) < 1e-6) & (torch.linalg.eigvalsh(hessian)[:, 0] > 0)


@pytest.mark.parametrize("seed", range(10))
def test_every_row_ends_in_a_minimum(seed):
    problem = Valleys(seed, 500)
    begin = starts(500, problem.dim, seed)
    found = LBFGS().minimize(problem.potential(), begin)
    assert _is_minimum(problem.potential(), found.argmin).all()
    # Control: a descent of few steps does not get there.
    early = Descent(steps=20).minimize(problem.potential(), begin)
    assert not _is_minimum(problem.potential(), early.argmin).all()


def _dense(pairs: list[tuple[Tensor, Tensor]], dim: int) -> Tensor:
    """H' = (1 - s cᵀ/sᵀc) H (1 - c sᵀ/sᵀc) + s sᵀ/sᵀc from γ I, pair by pair."""
    step, change = pairs[-1]
    identity = torch.eye(dim, dtype=F64)
    inverse = (step @ change) / (change @ change) * identity
    for step, change in pairs:
        left = identity - torch.outer(step, change) / (step @ change)
        inverse = left @ inverse @ left.T + torch.outer(step, step) / (step @ change)
    return inverse


def test_the_memory_is_the_dense_update_of_each_row_s_own_pairs():
    rows, dim, history = 6, 5, 4
    memory = _Memory.empty(torch.zeros(rows, dim, dtype=F64), history)
    kept: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(rows)]
    for k in range(9):
        step, change = randn(rows, dim, seed=2 * k), randn(rows, dim, seed=2 * k + 1)
        take = torch.arange(rows) % 3 != k % 3
        memory = memory.push(take, step, change)
        for i in range(rows):
            if take[i] and step[i] @ change[i] > 0:
                kept[i] = [*kept[i], (step[i], change[i])][-history:]
    grad = randn(rows, dim, seed=99)
    expected = torch.stack([_dense(kept[i], dim) @ grad[i] for i in range(rows)])
    torch.testing.assert_close(memory.newton(grad), expected, rtol=1e-9, atol=1e-9)
    blank = memory.forget(torch.ones(rows, dtype=torch.bool))
    torch.testing.assert_close(blank.newton(grad), grad)
    # Control: the pairs in the other order are another matrix.
    turned = memory._replace(
        steps=memory.steps.flip(1), changes=memory.changes.flip(1), inverse=memory.inverse.flip(1)
    )
    assert not torch.allclose(turned.newton(grad), expected, rtol=1e-3)


def test_valleys_of_a_million_to_one_are_followed():
    scales = f64([1.0, 10.0, 1e3, 1e6])
    target = randn(20, 4, seed=1)
    found = LBFGS(tolerance=1e-10).minimize(
        lambda z: (scales * (z - target).square()).sum(-1), torch.zeros(20, 4, dtype=F64)
    )
    torch.testing.assert_close(found.argmin, target, rtol=0, atol=1e-3)
    bent = LBFGS().minimize(scaled_valley, starts(50, 2, 7))
    torch.testing.assert_close(bent.argmin, torch.ones(50, 2, dtype=F64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_events_of_any_shape_are_minimized(shape):
    found = LBFGS().minimize(
        lambda z: (
            (z - 1).pow(4).reshape(len(z), -1).sum(1) + (z - 1).square().reshape(len(z), -1).sum(1)
        ),
        randn(5, *shape, seed=1),
    )
    torch.testing.assert_close(found.argmin, torch.ones(5, *shape, dtype=F64), rtol=0, atol=1e-7)
    assert found.residual.shape == found.energy.shape == (5,)


def test_rows_are_independent():
    target, start = randn(8, 3, seed=1), randn(8, 3, seed=2)
    scales = 10 ** torch.linspace(-3, 3, 8, dtype=F64)

    def scaled(rows: slice):
        return lambda z: (
            scales[rows] * ((z - target[rows]).pow(4) + (z - target[rows]).square()).sum(-1)
        )

    together = LBFGS().minimize(scaled(slice(None)), start)
    for i in range(8):
        alone = LBFGS().minimize(scaled(slice(i, i + 1)), start[i : i + 1])
        torch.testing.assert_close(alone.argmin[0], together.argmin[i], rtol=0, atol=0)


def test_it_stops_when_every_row_has_converged_and_when_none_can_go_on():
    u, calls = counted(lambda z: z.square().sum(-1))
    LBFGS(steps=1000).minimize(u, randn(5, 3, seed=1))
    assert len(calls) < 10
    # |z| has no point of small gradient: the line search ends, and the residual says 1.
    u, calls = counted(lambda z: z.abs().sum(-1) + 1)
    with pytest.warns(NotConvergedWarning, match="residual"):
        found = LBFGS(steps=1000).minimize(u, f64([[0.3], [-1.7]]))
    assert len(calls) < 500
    torch.testing.assert_close(found.residual, torch.ones(2, dtype=F64))
    assert (found.energy < 1 + 1e-6).all()


def test_no_row_ends_above_its_start_and_its_energy_is_that_of_its_argmin():
    def rugged(z: Tensor) -> Tensor:
        return (z**4 / 10 + 3 * (5 * z).sin()).sum(-1)

    start = 4 * randn(200, 2, seed=3)
    with pytest.warns(NotConvergedWarning):
        early = LBFGS(steps=4).minimize(rugged, start)
    late = LBFGS().minimize(rugged, start)
    for found in (early, late):
        assert (found.energy <= rugged(start)).all()
        assert torch.equal(found.energy, rugged(found.argmin))
    assert (late.energy < early.energy - 1e-3).any()


def test_points_without_an_energy_are_backed_off_from():
    # z - log z has its minimum at 1 and nothing but NaN below 0, where the first steps lead.
    found = LBFGS().minimize(lambda z: (z - z.log()).sum(-1), f64([[1e-3], [0.5], [50.0], [1e3]]))
    torch.testing.assert_close(found.argmin, torch.ones(4, 1, dtype=F64), rtol=0, atol=1e-5)
    walled = LBFGS().minimize(
        lambda z: torch.where(z < 0.9, math.inf, (z - 1).square()).sum(-1), f64([[4.0], [1.5]])
    )
    torch.testing.assert_close(walled.argmin, torch.ones(2, 1, dtype=F64), rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [1, 2, 4])
def test_fault_19_an_energy_unbounded_below_is_no_minimum(power, dtype):
    sign = torch.tensor([0.5, -0.5, 0.5], dtype=dtype)
    start = torch.tensor([[-1.0], [1.0], [-2.0]], dtype=dtype)
    even = sign if power > 1 else -sign.abs()
    with pytest.raises(DivergenceError, match="without bound"):
        LBFGS().minimize(lambda z: even * z[:, 0] ** power, start)
    held = LBFGS().minimize(lambda z: z[:, 0] ** (2 * power), start)
    assert (held.energy < 1e-3).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_start_without_an_energy_is_named(bad):
    with pytest.raises(NonFiniteError, match="row 2"):
        LBFGS().minimize(
            lambda z: z.square().sum(-1) + torch.where(z[:, 0] > 5, bad, 0.0),
            f64([[1.0], [2.0], [6.0]]),
        )


def test_fault_25_what_has_not_converged_is_said_once():
    start = starts(50, 2, 7)
    with pytest.warns(NotConvergedWarning) as caught:
        found = LBFGS(steps=3).minimize(scaled_valley, start)
    assert len(caught) == 1
    assert (found.residual > 1).any()
    energy = latent(lambda y, z: scaled_valley((y * z).flatten(0, -2)).reshape(z.shape[:-1]))
    with pytest.warns(NotConvergedWarning) as caught:
        q = LBFGS(start[:2], steps=3)(energy, None, torch.ones(5, 2, dtype=F64))
    assert len(caught) == 1
    assert (q.residual > 1e-3).all()
    q = LBFGS(start[:2])(energy, None, torch.ones(5, 2, dtype=F64))
    assert (q.residual < 1e-4).all()


def _rugged(y: Tensor, z: Tensor) -> Tensor:
    return ((y - z) ** 2 / 4 + 2 * (3 * z).cos() + 0.1 * z**2).sum(-1)


def test_many_starts_find_the_global_minimum():
    y = torch.linspace(-3, 3, 41, dtype=F64)[:, None]
    energy = latent(_rugged)
    grid = torch.linspace(-6, 6, 24_001, dtype=F64)[:, None]
    exact = FreeEnergy(energy, Enumerate(grid))(None, y)
    free = FreeEnergy(energy, LBFGS(torch.linspace(-6, 6, 25, dtype=F64)[:, None]))
    torch.testing.assert_close(free(None, y), exact, rtol=0, atol=1e-6)
    few = FreeEnergy(energy, LBFGS(f64([[3.0]])))(None, y)
    assert (few > exact + 0.5).any()
    assert free.bound == "upper"


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_starts_in_chunks_find_the_same(chunk):
    energy, begin = latent(_rugged), torch.linspace(-6, 6, 5, dtype=F64)[:, None]
    y = torch.linspace(-3, 3, 8, dtype=F64).reshape(2, 4, 1)
    whole, parts = LBFGS(begin)(energy, None, y), LBFGS(begin, chunk=chunk)(energy, None, y)
    for once, twice in zip(whole[:4], parts[:4], strict=True):
        torch.testing.assert_close(once, twice)


def test_an_inference_resumes_at_each_datum_s_own_start():
    energy, infer = conditional(), LBFGS(randn(2, 3, seed=8), steps=200, tolerance=1e-5)
    x, y = randn(3, 2, seed=1), randn(5, 2, seed=2)
    first = infer(energy, x[:, None], y[None])
    u, calls = counted(lambda z: energy(x[:, None], y[None], z.reshape(3, 5, 3)).flatten())
    LBFGS(tolerance=1e-5).minimize(u, infer.starts[0].expand(15, 3))
    whole = len(calls)
    LBFGS(tolerance=1e-5).minimize(u, first.atoms.reshape(15, 3))
    assert len(calls) - whole < whole
    again = infer.resume(first.atoms[0])(energy, x[:, None], y[None])
    assert (
        energy(x[:, None], y[None], again.atoms) <= energy(x[:, None], y[None], first.atoms)
    ).all()
    assert infer.starts.shape == (2, 3)
    with pytest.raises(ShapeError, match="batch"):
        infer.resume(first.atoms[0])(energy, x, x)


def test_arguments_are_refused():
    energy, x, y = conditional(), randn(2, 2), randn(2, 2)
    with pytest.raises(ConfigurationError, match="temperature must be 0"):
        LBFGS(torch.zeros(1, 3, dtype=F64))(energy, x, y, 1.0)
    with pytest.raises(ConfigurationError, match="starts"):
        LBFGS()(energy, x, y)
    with pytest.raises(ShapeError, match=r"\(k, \*event\)"):
        LBFGS(torch.zeros(3, dtype=F64))(energy, x, y)
    with pytest.raises(ShapeError, match="rows"):
        LBFGS().minimize(scaled_valley, torch.zeros(0, 2))
    with pytest.raises(GradientError, match="carries no gradient"):
        LBFGS().minimize(lambda z: z.detach().square().sum(-1), torch.ones(2, 2))
    for wrong in (
        {"steps": 0},
        {"history": 0},
        {"tolerance": 0.0},
        {"tolerance": math.nan},
        {"chunk": 0},
    ):
        with pytest.raises(ConfigurationError):
            LBFGS(**wrong)
