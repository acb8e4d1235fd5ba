"""Programs: shared by all of one structure, fed with what it holds, eager where they must be."""

import warnings
from collections import OrderedDict

import pytest
import torch
from problems import f64, randn
from torch import Tensor, nn

from ebmlab.kernels import lowering, programs
from ebmlab.kernels.programs import CompiledPotential, Program
from ebmlab.types import Potential


@pytest.fixture
def made(monkeypatch) -> list[int]:
    """Programs are traced whole but run by eager operations; counts them."""
    count = []

    def lower(graph, inputs):
        count.append(len(inputs))
        return graph.forward

    monkeypatch.setattr(lowering, "lower", lower)
    monkeypatch.setattr(programs, "_MADE", OrderedDict())
    return count


def affine(held, y):
    return held(y)


def test_another_of_the_same_kind_needs_no_compilation(made):
    y = randn(5, 3)
    for k in range(3):
        torch.manual_seed(k)
        layer = nn.Linear(3, 2).double()
        torch.testing.assert_close(Program(affine, layer)(y), layer(y).detach())
    assert made == [3]


def test_what_changes_in_place_is_seen_and_what_is_replaced_by_the_next_program(made):
    layer, y = nn.Linear(3, 2).double(), randn(5, 3)
    program = Program(affine, layer)
    program(y)
    with torch.no_grad():
        layer.weight.mul_(2)
    torch.testing.assert_close(program(y), layer(y).detach())
    layer.weight = nn.Parameter(randn(2, 3, seed=4))
    torch.testing.assert_close(Program(affine, layer)(y), layer(y).detach())
    assert made == [3]


def test_a_tensor_that_no_structure_holds_is_kept_by_its_program(made):
    # Made anew in each trace, as tables of constants are.
    def weighted(_, y):
        return y @ torch.tensor([[1.0], [2.0]], dtype=torch.float64)

    y = randn(4, 2)
    for _ in range(2):
        torch.testing.assert_close(Program(weighted, None)(y), y @ f64([[1], [2]]))
    assert len(made) == 1


def test_every_shape_and_every_form_of_inputs_has_its_own(made):
    def both(_, one, more):
        return (one + more[0], (more[1],))

    program = Program(both, None)
    for n in (1, 2, 2):
        one, (other,) = program(randn(n), (randn(n), randn(3)))
        torch.testing.assert_close((one, other), (2 * randn(n), randn(3)))
    assert len(made) == 2
    Program(both, None)(randn(2), (randn(2), randn(3, 1)))
    assert len(made) == 3


def test_the_oldest_are_forgotten(made, monkeypatch):
    monkeypatch.setattr(programs, "KEPT", 2)
    for k in (1, 2, 3, 3, 2, 1):
        assert Program(lambda held, y: held * y, k)(f64([2.0])).item() == 2 * k
    assert len(made) == 4


@pytest.mark.parametrize("kind", ["branch", "generator", "numbers", "value"])
def test_what_cannot_be_traced_runs_as_it_is_after_one_warning(kind, made):
    rng = torch.Generator().manual_seed(0)

    def odd(_, y: Tensor) -> Tensor:
        if kind == "branch":
            return y if bool(y.sum() > 0) else -y
        if kind == "generator":
            return y + 0 * torch.rand(y.shape, generator=rng, dtype=y.dtype)
        if kind == "numbers":
            return y + 0 * torch.rand_like(y)
        return y * (y.tolist()[0] / y.tolist()[0])

    program, y = Program(odd, None), f64([3.0])
    with pytest.warns(UserWarning, match="cannot be compiled and runs as it is"):
        assert program(y) == y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert program(y) == y
        assert Program(odd, None)(y) == y


def test_an_error_of_one_s_own_is_told_as_it_is(made):
    def wrong(_, y):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match=r"^no such thing$"):
        Program(wrong, None)(f64([1.0]))


def test_a_compiled_potential_has_the_slope_of_its_own(made):
    u = CompiledPotential(Potential(lambda y: y.pow(4).sum(-1)))
    y = randn(6, 2).requires_grad_()
    energy, slope = u.value_and_grad(y)
    torch.testing.assert_close(energy, y.detach().pow(4).sum(-1))
    torch.testing.assert_close(slope, 4 * y.detach() ** 3)
    assert not energy.requires_grad
    assert not slope.requires_grad
    # An energy alone may be differentiated as ever.
    (back,) = torch.autograd.grad(u(y).sum(), y)
    torch.testing.assert_close(back, slope)


def test_the_real_compiler_takes_parameters_as_inputs():
    layer, y = nn.Linear(3, 2), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    program = Program(affine, layer)
    torch.testing.assert_close(program(y), layer(y).detach())
    with torch.no_grad():
        layer.weight.mul_(2)
    torch.testing.assert_close(program(y), layer(y).detach())
