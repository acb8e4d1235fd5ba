"""What checks have passed is remembered by all that they look at, and by nothing else."""

import copy
import gc
import pickle
import sys
import weakref

import pytest
import torch
from torch import nn

from ebmlab import Energy
from ebmlab._signatures import Passed, own_kind, signature
from ebmlab.energies import MLP, SquaredDistance
from ebmlab.errors import DtypeError, ShapeError
from ebmlab.objectives import Regularized

# Calls of Python functions that an energy makes beside its `forward`; more is a check repeated.
CALLS = 16


class Pull(Energy):
    """Σ y, beside a layer that has a type."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x, y, z=None):
        return y.sum(-1)


@pytest.fixture
def y() -> torch.Tensor:
    return torch.ones(3, 2)


def test_what_changes_after_a_call_is_checked_anew(y):
    energy = Pull()
    energy(None, y)
    energy.y_ndim = 2
    assert energy.check(None, y)[0] == ()
    energy.y_ndim = 1
    energy.double()
    with pytest.raises(DtypeError, match=r"holds torch\.float64"):
        energy(None, y)
    energy.layer = nn.Linear(2, 1)
    energy(None, y)
    energy.takes_x = False
    energy(y[:, :1].double(), y)
    energy.takes_x = True
    with pytest.raises(DtypeError, match="convert one"):
        energy(y.double(), y)


def test_what_was_refused_is_refused_again(y):
    energy = SquaredDistance()
    for _ in range(2):
        with pytest.raises(ShapeError, match="batches differ"):
            energy(torch.ones(2, 2), y)
        with pytest.raises(ShapeError, match="the batch is empty"):
            energy(y, y[:0])


def test_an_objective_refuses_what_is_no_pair_each_time(y):
    energy, objective = SquaredDistance(), Regularized()
    for _ in range(2):
        objective(energy, y, y)
        with pytest.raises(ShapeError, match="takes one x for each y"):
            objective(energy, y[:1], y)
        energy.y_ndim = 0
        with pytest.raises(ShapeError, match="takes one x for each y"):
            objective(energy, y[:, 0], y)
        energy.y_ndim = 1


def test_types_that_autocast_lets_meet_are_refused_without_it(y):
    energy = SquaredDistance()
    with torch.autocast("cpu", torch.bfloat16):
        energy(y, y.bfloat16())
    with pytest.raises(DtypeError, match="convert one"):
        energy(y, y.bfloat16())


def test_a_tree_is_not_taken_for_another():
    one, two = torch.ones(2), torch.ones(3)
    trees = [(one,), (two,), ((one,),), ((one, one),), (None,), ((),), (one.double(),), (one, one)]
    assert len({signature(*tree) for tree in trees}) == len(trees)
    assert signature([one]) != signature([one])


def test_places_are_bounded_and_hold_no_tensor(y):
    passed: Passed[int] = Passed(most=3)
    for count in range(10):
        passed.keep(signature(torch.ones(count)), count)
    assert [passed.get(signature(torch.ones(n))) for n in range(10)] == [*[None] * 9, 9]
    energy, tensor = Pull(), torch.ones(7, 2)
    refs = weakref.ref(energy), weakref.ref(tensor)
    energy(None, tensor)
    del energy, tensor
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_check_for_themselves(y, again):
    energy = MLP(2)
    before = set(vars(energy))
    energy(None, y)
    copied = again(energy).double()
    assert set(vars(copied)) == before
    copied(None, y.double())
    with pytest.raises(DtypeError, match=r"holds torch\.float64"):
        copied(None, y)
    energy(None, y)


def test_a_modules_kind_is_that_of_parameters_before_buffers():
    module = nn.Sequential(nn.BatchNorm1d(2, affine=False).double(), nn.Linear(2, 1))
    assert own_kind(module) == (torch.float32, torch.device("cpu"))
    assert own_kind(module[0]) == (torch.float64, torch.device("cpu"))
    assert own_kind(nn.Tanh()) is None


def test_a_call_costs_few_calls_beside_its_forward(y):
    energy = Pull()
    assert _calls(lambda: energy(None, y)) - _calls(lambda: energy.forward(None, y)) <= CALLS


def _calls(call) -> int:
    """How many functions of Python a call enters, the second time."""
    entered = 0

    def count(frame, event, argument) -> None:
        nonlocal entered
        entered += event == "call"

    call()
    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered
