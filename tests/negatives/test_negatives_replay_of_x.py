"""Chains of p(y | x): a slot belongs to one x, and no chain ever runs under another."""

import copy

import pytest
import torch
from negatives_support import Count
from problems import generator, randn
from torch import Tensor

from ebmlab import FunctionEnergy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.negatives import Replay, replay
from ebmlab.samplers import Langevin

F64 = torch.float64
# Two x with conditionals N(10 x, 1/2), x = -1 or 1, that a chain of few steps does not cross.
APART = FunctionEnergy(lambda x, y: (y - 10 * x).square().sum(-1), ("x", "y"))
# The energy of a pair tells which point of the pool it is, and under which x it ran.
PAIR = FunctionEnergy(lambda x, y: 1000 * x[:, 0] + y[:, 0], ("x", "y"))


def marked(size: int, first: int = 0) -> Tensor:
    """Points that carry their number, and how far they have moved."""
    number = torch.arange(first, first + size, dtype=F64)
    return torch.stack([number, torch.zeros_like(number)], dim=1)


class Births:
    def __init__(self, first: int) -> None:
        self.next = first

    def __call__(self, n: int, rng: torch.Generator) -> Tensor:
        self.next += n
        return marked(n, self.next - n)


def mean_energy() -> float:
    """Of the chains at the end, 1/2 in theory: those of both x, drawn in a new order each time."""
    pool = torch.cat([torch.full((20, 1), -10.0), torch.full((20, 1), 10.0)])
    kept = Replay(pool, Langevin(0.02), steps=5, rebirth=0.0)
    x, rng = torch.tensor([[-1.0], [1.0]]).repeat(10, 1), generator()
    energies = []
    for _ in range(80):
        rows = torch.randperm(20, generator=rng)
        draw = kept(APART, x[rows], torch.zeros(20, 1), rng)
        draw.commit()
        energies.append(draw.energies.mean())
    return float(torch.stack(energies[-20:]).mean())


def test_chains_of_two_x_whose_conditionals_do_not_overlap_do_not_mix(monkeypatch):
    # 400 energies ½χ²₁, each about as its neighbors in time: their mean has an error near 0.1.
    assert abs(mean_energy() - 0.5) < 0.4
    # Slots of no x, as of a model without x: half of all chains stand in the other's well.
    monkeypatch.setattr(replay, "identities", lambda x, n, *_: torch.zeros(n, dtype=torch.long))
    assert mean_energy() > 20


def histories(x_of_batch, size: int, draws: int = 150) -> dict[int, set[float]]:
    """Under which x each point of the pool ever ran."""
    kept = Replay(marked(size), Count(), steps=1, rebirth=0.2, birth=Births(size))
    rng, seen = generator(), {}
    for _ in range(draws):
        x = x_of_batch(rng)
        draw = kept(PAIR, x, torch.zeros(len(x), 2, dtype=F64), rng)
        draw.commit()
        number = draw.energies[:, 0] - 1000 * x[:, 0]
        for point, under in zip(number.tolist(), x[:, 0].tolist(), strict=True):
            seen.setdefault(round(point), set()).add(under)
        assert len(set(kept.lineage.tolist())) == size
        assert torch.equal(kept.pool[:, 1], kept.age.to(F64))
    return seen


def labels(rng: torch.Generator) -> Tensor:
    return torch.randint(3, (8, 1), generator=rng).to(F64)


@pytest.mark.parametrize("size", [8, 12, 60])
def test_no_point_ever_runs_under_two_x(size, monkeypatch):
    assert all(len(under) == 1 for under in histories(labels, size).values())
    monkeypatch.setattr(replay, "identities", lambda x, n, *_: torch.zeros(n, dtype=torch.long))
    assert any(len(under) > 1 for under in histories(labels, size).values())


def continued(size: int, epochs: int = 30) -> list[float]:
    """The share of chains that went on, over epochs of 24 distinct x in batches of 6."""
    kept, rng = Replay(marked(size), Count(), steps=1, rebirth=0.0), generator()
    data, shares = randn(24, 5), []
    for _ in range(epochs):
        each = []
        for rows in torch.randperm(24, generator=rng).split(6):
            draw = kept(PAIR, data[rows], torch.zeros(6, 2, dtype=F64), rng)
            draw.commit()
            each.append(float(draw.metrics["continued"]))
        shares.append(sum(each) / len(each))
    return shares


def test_chains_last_where_the_pool_holds_every_x_and_are_born_anew_where_it_does_not():
    assert continued(24) == continued(40) == [0.0] + [1.0] * 29
    # Slots that change hands at random: some x come back in time, most find theirs taken.
    assert 0 < sum(continued(12)[5:]) / 25 < 0.5


def test_a_pool_with_its_x_goes_on_from_the_data_themselves():
    x = randn(10, 3)
    kept = Replay(marked(10), Count(), steps=1, rebirth=0.0, x=x)
    rows = torch.randperm(10, generator=generator(1))[:6]
    energy = FunctionEnergy(lambda x, y: y[:, 0] + 0 * x[:, 0], ("x", "y"))
    draw = kept(energy, x[rows], torch.zeros(6, 2, dtype=F64), generator())
    assert torch.equal(draw.energies[:, 0], rows.to(F64))
    assert draw.metrics["continued"] == 1
    # The owners are in the state: a pool without them learns them there.
    blank = Replay(marked(10), Count(), steps=1, rebirth=0.0)
    blank.load_state_dict(copy.deepcopy(kept.state_dict()))
    again = blank(energy, x[rows], torch.zeros(6, 2, dtype=F64), generator())
    assert torch.equal(again.energies, draw.energies)


def test_labels_tuples_and_one_x_for_all_own_their_slots():
    y = torch.zeros(4, 2, dtype=F64)
    label = FunctionEnergy(lambda x, y: y[:, 0] + 0.0 * x, ("x", "y"), x_ndim=0)
    kept = Replay(marked(8), Count(), 1, rebirth=0.0, x=torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    found = kept(label, torch.tensor([1, 1, 3, 0]), y, generator()).energies[:, 0]
    assert (found // 2).tolist() == [1, 1, 3, 0]
    assert found[0] != found[1]
    kept(label, torch.tensor([2]), y, generator()).commit()
    # Two go on, two more take slots of others.
    assert int((kept.owner == kept.owner[4]).sum()) == 4

    class Views(FunctionEnergy):
        def forward(self, x, y, z=None):
            return y[:, 0] + 0 * x[0].sum(-1)

    views = Views(lambda y: y, ("x", "y"))
    views.x_ndim = (1, None)
    pair = (randn(4, 3), randn(7))
    kept = Replay(marked(4), Count(), 1, rebirth=0.0, x=pair[0])
    found = kept(views, (pair[0].flip(0), pair[1]), y, generator()).energies[:, 0]
    assert found.tolist() == [3, 2, 1, 0]


def test_an_x_that_is_not_one_for_each_point_is_refused():
    with pytest.raises(ShapeError, match="expected one x for each of 4 y"):
        Replay(marked(4), Count(), 1, x=torch.zeros(3, 2))
    with pytest.raises(ConfigurationError, match="pool is of type ndarray; expected Tensor"):
        Replay(marked(4).numpy(), Count(), 1)
