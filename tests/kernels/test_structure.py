"""What has one structure runs the same operations on its own tensors; the rest is told apart."""

import functools
import types
from dataclasses import dataclass

import pytest
import torch
from problems import randn

from ebmlab.energies import MLP, DoubleWell, Gaussian
from ebmlab.kernels.structure import Structure
from ebmlab.samplers import HMC, MALA, Langevin
from ebmlab.types import Potential

SHIFT = torch.ones(2)


def scaled(a, power=2):
    return lambda y: (a * y**power).sum(-1)


def shifted(y):
    return (y - SHIFT).square().sum(-1)


def through_another(y):
    return shifted(y) + 1


class Named:
    def __init__(self, a, name="one"):
        self.a, self.name = a, name

    def energy(self, y):
        return self.a * y.sum(-1)


@dataclass(frozen=True)
class Slotted:
    a: torch.Tensor
    b: float


ONE, TWO = torch.ones(2), torch.full((2,), 2.0)

ALIKE = {
    "closures": (scaled(ONE), scaled(TWO)),
    "methods": (Named(ONE).energy, Named(TWO).energy),
    "partial": (functools.partial(torch.add, ONE), functools.partial(torch.add, TWO)),
    "dataclasses": (Slotted(ONE, 1.0), Slotted(TWO, 1.0)),
    "potentials": (DoubleWell(2.0).given(), DoubleWell(2.0).given()),
    "networks": (MLP(2, hidden=(4,)).given(), MLP(2, hidden=(4,)).given()),
    "Gaussians": tuple(Gaussian(m, torch.eye(2)).given() for m in (ONE, TWO)),
    "kernels": (Langevin(0.1).traced(), Langevin(0.2).traced()),
}

APART = {
    "code": (lambda y: y.sum(-1), lambda y: y.prod(-1)),
    "plain values": (scaled(ONE, 2), scaled(ONE, 3)),
    "defaults": (lambda y, k=1: k * y, lambda y, k=2: k * y),
    "numbers alike": (Slotted(ONE, 1), Slotted(ONE, 1.0)),
    "names": (Named(ONE), Named(ONE, "two")),
    "shapes": (scaled(ONE), scaled(torch.ones(3))),
    "types": (scaled(ONE), scaled(ONE.double())),
    "layouts": (scaled(torch.ones(2, 3)), scaled(torch.ones(3, 2).mT)),
    "which are the same": ((ONE, ONE), (ONE, TWO)),
    "order": ({"a": ONE, "b": 1}, {"b": 1, "a": ONE}),
    "networks": (MLP(2, hidden=(4,)).given(), MLP(2, hidden=(4, 4)).given()),
    "modes": (MLP(2, hidden=(4,)).train().given(), MLP(2, hidden=(4,)).eval().given()),
    "kernels": (HMC(0.1, 3), HMC(0.1, 4)),
    "classes": (Langevin(0.1), MALA(0.1)),
    "what has no inside": (iter([1]), iter([1])),
}


@pytest.mark.parametrize("name", ALIKE)
def test_alike_but_for_values(name):
    one, two = map(Structure, ALIKE[name])
    assert one.key == two.key
    assert hash(one.key) == hash(two.key)
    assert [t.shape for t in one.tensors] == [t.shape for t in two.tensors]


@pytest.mark.parametrize("name", APART)
def test_told_apart(name):
    one, two = map(Structure, APART[name])
    assert one.key != two.key
    # And nothing differs from itself.
    assert Structure(APART[name][0]).key == one.key


def test_each_tensor_is_found_once_and_in_order():
    a, b = randn(2), randn(3)
    found = Structure((a, {"again": a, "other": [b]}, lambda: (b, a))).tensors
    assert [id(t) for t in found] == [id(a), id(b)]


def test_parameters_and_global_tensors_are_found():
    energy = MLP(2, hidden=(4,))
    found = {id(t) for t in Structure(energy.given()).tensors}
    assert {id(p) for p in energy.parameters()} <= found
    for function in (shifted, through_another):
        assert any(t is SHIFT for t in Structure(Potential(function)).tensors)


def written(text: str, name: str = "notes") -> types.ModuleType:
    """A module that somebody is writing."""
    module = types.ModuleType(name)
    exec(text, vars(module))
    return module


NOTES = """
SCALE = 2.0
TABLE = {"a": [1, 2]}
class Form:
    power = 2
    def __call__(self, y):
        return SCALE * y ** self.power
def outer(y):
    return inner(y) + TABLE["a"][0]
def inner(y):
    return SCALE * y
"""


@pytest.mark.parametrize("change", ["SCALE = 3.0", "TABLE['a'][1] = 3", "def inner(y): return y"])
def test_a_global_that_changes_is_seen_wherever_code_names_it(change):
    module = written(NOTES)
    around = types.ModuleType("around")
    around.notes, around.torch = module, torch
    exec("def energy(y): return torch.add(notes.outer(y), 1)", vars(around))
    before = Structure(around.energy).key
    assert Structure(around.energy).key == before
    exec(change, vars(module))
    assert Structure(around.energy).key != before


def test_a_class_that_changes_is_seen():
    module = written(NOTES)
    form = module.Form()
    keys = [Structure(form).key]
    for change in ("Form.power = 3", "SCALE = 4.0", "Form.__call__ = lambda self, y: y"):
        exec(change, vars(module))
        keys.append(Structure(form).key)
    assert len(set(keys)) == 4


def test_long_chains_of_calls_are_followed():
    lines = [f"def f{k}(y): return f{k + 1}(y)" for k in range(2000)]
    module = written("\n".join([*lines, "def f2000(y): return y"]))
    before = Structure(module.f0).key
    assert Structure(module.f0).key == before
    exec("def f2000(y): return -y", vars(module))
    assert Structure(module.f0).key != before


def test_what_refers_to_itself_ends():
    ring: list = [ONE]
    ring.append(ring)
    assert Structure(ring).tensors == [ONE]
    assert Structure(ring).key == Structure(ring).key


def test_what_is_told_apart_by_identity_stays_alive():
    walk = iter([1])
    assert walk in Structure((walk,)).kept
