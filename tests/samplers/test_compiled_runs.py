"""Compiled runs: the same chain to rounding, few programs, and a way back to eager."""

import functools
import warnings
from collections import OrderedDict

import pytest
import torch
from problems import f64, generator, randn
from samplers_support import bowl
from test_laws_shipped_samplers import SAMPLERS
from torch import Tensor

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP, DoubleWell
from ebmlab.errors import NonFiniteError
from ebmlab.kernels import lowering, programs
from ebmlab.samplers import HMC, MALA, Annealed, Heated, Kernel, Langevin, run
from ebmlab.samplers._run import blocks


@pytest.fixture
def traced(monkeypatch) -> list[int]:
    """Programs are traced whole but run by eager operations; counts the traces."""
    count = []

    def lower(graph, inputs):
        count.append(1)
        return graph.forward

    monkeypatch.setattr(lowering, "lower", lower)
    monkeypatch.setattr(programs, "_MADE", OrderedDict())
    for kernel in (Langevin, MALA):
        monkeypatch.setattr(kernel, "block", 3)
    return count


@pytest.fixture
def short(monkeypatch) -> None:
    """Blocks of two transitions: what they repeat is traced over and over, and is slow."""
    for kernel in (Kernel, Annealed, Heated, HMC, Langevin, MALA):
        monkeypatch.setattr(kernel, "block", 2)


LANGEVIN = Langevin(0.02, 0.7)


@pytest.mark.parametrize(
    ("sampler", "thin"),
    [(LANGEVIN, 0), (LANGEVIN, 2), (LANGEVIN, 3), (LANGEVIN, 17), (MALA(0.1), 2)],
)
def test_a_compiled_chain_is_the_eager_one(sampler, thin, traced):
    start = randn(6, 2, seed=10)
    energy = DoubleWell(2.0)
    eager, fast = (
        run(sampler, energy.given(), start, steps=16, rng=generator(1), thin=thin, compile=way)
        for way in (False, True)
    )
    assert len(traced) == 1
    torch.testing.assert_close(fast, eager, rtol=1e-9, atol=1e-9)


def test_masks_that_leave_as_much_unknown_share_a_program(traced):
    energy, start = FunctionEnergy(lambda y: (y.square() * f64([1, 4, 9])).sum(-1)), randn(6, 2)
    for mask in torch.eye(3, dtype=torch.bool):
        u = energy.given(y=randn(3), mask=mask)
        eager, fast = (
            run(LANGEVIN, u, start, steps=6, rng=generator(1), compile=way)
            for way in (False, True)
        )
        torch.testing.assert_close(fast, eager, rtol=1e-9, atol=1e-9)
    assert len(traced) == 1


KINDS = {"Langevin": "Langevin, a tensor"}


class Quadratic(Energy):
    """½ yᵀ A y, with a matrix in it."""

    y_ndim = 1

    def __init__(self, dim: int) -> None:
        super().__init__()
        root = randn(dim, dim, seed=3)
        self.register_buffer("matrix", root @ root.T + torch.eye(dim))

    def forward(self, x, y, z=None):
        return 0.5 * ((y @ self.get_buffer("matrix")) * y).sum(-1)


@pytest.mark.parametrize("thin", [0, 3])
@pytest.mark.parametrize("name", ["Langevin", "MALA", "HMC", "Underdamped", "ChEESHMC"])
def test_heavy_steps_are_turns_of_a_loop(name, thin, traced, monkeypatch):
    sampler = MALA(0.1) if name == "MALA" else SAMPLERS[KINDS.get(name, name)]()[0]
    monkeypatch.setattr(Kernel, "block", 3)
    monkeypatch.setattr(HMC, "block", 3)
    u, graphs = Quadratic(2).given(), []
    seen = lowering.lower
    monkeypatch.setattr(lowering, "lower", lambda g, i: graphs.append(g) or seen(g, i))
    monkeypatch.setattr(blocks, "HEAVY", 6 * 4)
    eager, fast = (
        run(sampler, u, randn(6, 2), steps=7, thin=thin, rng=generator(1), compile=way)
        for way in (False, True)
    )
    torch.testing.assert_close(fast, eager, rtol=1e-6, atol=1e-6)
    (graph,) = graphs
    assert any("while_loop" in str(node.target) for node in graph.graph.nodes)


def test_what_is_heavy_is_told_by_matrices_and_chains(monkeypatch):
    monkeypatch.setattr(blocks, "HEAVY", 6 * 4)
    u = Quadratic(2).given()
    assert blocks.heavy(u, randn(6, 2))
    assert not blocks.heavy(u, randn(5, 2))
    assert not blocks.heavy(FunctionEnergy(bowl).given(), randn(600, 2))


@pytest.mark.parametrize("heavy", [False, True])
def test_the_real_compiler_agrees(heavy, short, monkeypatch):
    monkeypatch.setattr(blocks, "HEAVY", 0 if heavy else 2**22)
    energy, start = MLP(2, hidden=(16,)), torch.randn(8, 2, generator=generator(2))
    thin = 4 if heavy else 3
    eager, fast = (
        run(MALA(0.1), energy.given(), start, steps=7, rng=generator(1), thin=thin, compile=way)
        for way in (False, True)
    )
    torch.testing.assert_close(fast, eager, rtol=1e-4, atol=1e-4)
    assert not torch.equal(fast.samples[-1], start)


# Samplers that are no kernels compile their potential only, which is tested below; Langevin and
# MALA are traced above, and HMC with its jitter in ChEESHMC.
TRACED = ("Langevin, a tensor", "HMC", "ChEESHMC", "Underdamped", "Heated", "Annealed")


@pytest.mark.parametrize("name", [*TRACED, "ParallelTempering"])
def test_every_kernel_can_be_traced(name, traced, short):
    sampler, *_ = SAMPLERS[name]()
    energy = FunctionEnergy(bowl)
    eager, fast = (
        run(sampler, energy.given(), randn(6, 2), steps=5, rng=generator(1), compile=way)
        for way in (False, True)
    )
    assert bool(traced) == bool(sampler.block)
    # A step size in a single-precision tensor is rounded along another way.
    torch.testing.assert_close(fast, eager, rtol=1e-6, atol=1e-6)


def test_no_kernel_is_left_out():
    kernels = {type(SAMPLERS[name]()[0]) for name in SAMPLERS}
    seen = {type(SAMPLERS[name]()[0]) for name in [*TRACED, "ParallelTempering"]} | {MALA}
    assert {kind for kind in kernels if issubclass(kind, Kernel)} == seen


def test_other_numbers_and_other_x_share_a_program(traced):
    energy = FunctionEnergy(lambda x, y: (y - x).square().sum(-1), ("x", "y"))
    for k in range(12):
        x = torch.full((2,), float(k))
        options = {"steps": 20, "rng": generator(k), "compile": True}
        run(Langevin(0.001 * (k + 1), k / 10), energy.given(x), torch.zeros(3, 2), **options)
    assert len(traced) == 1


def test_many_energies_and_shapes_are_served(traced, short):
    # More than the compiler keeps of one function.
    energies = [
        FunctionEnergy(functools.partial(lambda a, y: a * bowl(y), k + 1.0)) for k in range(9)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k, energy in enumerate(energies):
            start = randn(3 + k, 2)
            fast, eager = (
                run(LANGEVIN, energy.given(), start, steps=4, rng=generator(1), compile=way)
                for way in (True, False)
            )
            torch.testing.assert_close(fast, eager)
    assert len(traced) == 9


def test_an_energy_that_cannot_be_traced_runs_after_one_warning():
    def branching(y: Tensor) -> Tensor:
        return bowl(y) if float(y.detach().sum()) > -1e9 else 2 * bowl(y)

    start = randn(4, 2)
    with pytest.warns(UserWarning, match=r"cannot be compiled and runs as it is") as caught:
        fast = run(MALA(0.5), branching, start, steps=40, rng=generator(1), compile=True)
    assert len(caught) == 1
    eager = run(MALA(0.5), branching, start, steps=40, rng=generator(1))
    torch.testing.assert_close(fast, eager)


def test_a_compiled_chain_that_reaches_nan_names_step_and_chain(traced):
    start = torch.tensor([[400.0], [4.0], [900.0]], dtype=torch.float64)

    def slope(y: Tensor) -> Tensor:
        return y.sqrt().sum(1)

    messages = []
    for way in (False, True):
        with pytest.raises(NonFiniteError, match="chain 1 at step") as fault:
            run(Langevin(0.5, 0.0), slope, start, steps=60, rng=generator(), compile=way)
        messages.append(str(fault.value))
    assert traced
    assert messages[0] == messages[1]
