"""Replay is followed with a pool whose points carry their own history, (identity, steps moved).

Under a sampler that counts, whatever the order of draws and commits, a slot's age and lineage must
be those of the point it holds.
"""

import itertools
import math

import torch
from negatives_support import FALSE_ALARM, FLAT, Count
from problems import generator, randn
from torch import Tensor

from ebmlab._events import NOTHING
from ebmlab.energies import MLP
from ebmlab.negatives import Replay
from ebmlab.protocols import Draw
from ebmlab.samplers import Langevin


def _marked(size: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.stack([torch.arange(size, dtype=dtype), torch.zeros(size, dtype=dtype)], dim=1)


class _Births:
    """Points with an identity that never occurred before."""

    def __init__(self, first: int) -> None:
        self.ids = itertools.count(first)

    def __call__(self, n: int, rng: torch.Generator) -> Tensor:
        new = torch.tensor([float(next(self.ids)) for _ in range(n)], dtype=torch.float64)
        return torch.stack([new, torch.zeros(n, dtype=torch.float64)], dim=1)


def _replay(size: int, steps: int = 1, rebirth: float = 0.0) -> Replay:
    return Replay(_marked(size), Count(), steps, rebirth=rebirth, birth=_Births(size))


def _draw(replay: Replay, n: int, rng: torch.Generator) -> Draw:
    return replay(FLAT, None, torch.zeros(n, 2).double(), rng)


def _buffers(replay: Replay) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in replay.state_dict().items()}


def test_a_draw_writes_nothing_until_its_commit_and_then_to_distinct_slots_only():
    replay = _replay(30, steps=2)
    before = _buffers(replay)
    draw = _draw(replay, 12, generator())
    assert all(torch.equal(value, before[name]) for name, value in _buffers(replay).items())
    draw.commit()
    touched = replay.age > 0
    assert touched.sum() == 12
    assert torch.equal(replay.age[touched], torch.full((12,), 2))
    assert torch.equal(replay.pool[:, 1], replay.age.double())
    assert torch.equal(replay.pool[:, 0], torch.arange(30).double())
    assert torch.equal(replay.lineage, torch.arange(30))


def test_a_commit_writes_the_ends_whose_energies_were_drawn():
    replay = Replay(randn(6, 2), Langevin(0.1), steps=3, rebirth=0.0)
    energy = MLP(2).double()
    draw = replay(energy, None, torch.zeros(6, 2).double(), generator())
    draw.commit()
    torch.testing.assert_close(
        energy(None, replay.pool).sort().values, draw.energies[:, 0].sort().values
    )


def test_slots_are_spread_over_the_whole_pool():
    replay, rng = _replay(40), generator()
    for _ in range(60):
        _draw(replay, 5, rng).commit()
    # A slot is missed 60 times with probability (7/8)^60: some slot, below 40 * 3.4e-4 = 1.4 %.
    assert (replay.age > 0).all()
    assert replay.age.sum() == 300


def test_lineages_stay_distinct_and_belong_to_their_points_for_ever():
    replay, rng = _replay(24, steps=2, rebirth=0.3), generator()
    point_of: dict[int, float] = {}
    for _ in range(200):
        _draw(replay, 8, rng).commit()
        lineages = replay.lineage.tolist()
        assert len(set(lineages)) == 24
        assert max(lineages) < int(replay.born)
        for lineage, point in zip(lineages, replay.pool[:, 0].tolist(), strict=True):
            assert point_of.setdefault(lineage, point) == point
        assert torch.equal(replay.pool[:, 1], replay.age.double())
    assert len(set(point_of.values())) == len(point_of) > 200


def test_draws_that_overlap_before_their_commits_keep_ages_and_lineages_true():
    # Contrastive draws once for every pair of views and commits all draws together.
    replay, rng = _replay(6, steps=2, rebirth=0.4), generator()
    point_of: dict[int, float] = {}
    for _ in range(50):
        draws = [_draw(replay, 4, rng), _draw(replay, 4, rng)]
        for draw in draws:
            draw.commit()
        assert len(set(replay.lineage.tolist())) == 6
        assert torch.equal(replay.pool[:, 1], replay.age.double())
        for lineage, point in zip(
            replay.lineage.tolist(), replay.pool[:, 0].tolist(), strict=True
        ):
            assert point_of.setdefault(lineage, point) == point


def test_a_draw_that_is_never_committed_leaves_no_trace():
    replay, twin, rng = _replay(10, rebirth=0.5), _replay(10, rebirth=0.5), generator()
    _draw(replay, 5, rng)
    _draw(replay, 5, generator(1)).commit()
    next(itertools.islice(twin.birth.ids, 4, None))
    _draw(twin, 5, generator(1)).commit()
    assert all(torch.equal(a, b) for a, b in zip(replay.buffers(), twin.buffers(), strict=True))


def test_rebirths_occur_with_their_probability():
    replay, rng = _replay(32, rebirth=0.3), generator()
    draws, n = 300, 16
    for _ in range(draws):
        _draw(replay, n, rng).commit()
    births = int(replay.born) - 32

    def binomial(p: float) -> bool:
        trials = draws * n
        return abs(births - trials * p) < FALSE_ALARM * math.sqrt(trials * p * (1 - p))

    assert binomial(0.3)
    assert not binomial(0.25)
    assert not binomial(0.35)


def test_rebirth_of_zero_keeps_and_of_one_replaces_every_chain():
    for rebirth, born in ((0.0, 8), (1.0, 8 + 5 * 8)):
        replay, rng = _replay(8, rebirth=rebirth), generator()
        for _ in range(5):
            _draw(replay, 8, rng).commit()
        assert int(replay.born) == born
        assert torch.equal(replay.age, torch.full((8,), 5 if rebirth == 0 else 1))


def test_without_a_birth_function_chains_start_anew_in_the_first_pool():
    replay, rng = Replay(_marked(10), Count(), steps=7, rebirth=1.0), generator()
    for _ in range(4):
        _draw(replay, 10, rng).commit()
    assert torch.equal(replay.pool[:, 1], torch.full((10,), 7.0).double())
    assert torch.equal(replay.first, _marked(10))


def test_age_metric_is_the_mean_over_the_pool_when_drawn():
    replay, rng = _replay(10, steps=4), generator()
    first = _draw(replay, 5, rng)
    first.commit()
    assert first.metrics["age"] == 0
    assert _draw(replay, 5, rng).metrics["age"] == 2.0
    assert first.metrics["moved"] == 4.0


def test_age_metric_does_not_overflow_beside_half_precision_points():
    replay = Replay(_marked(4).half(), Count(), steps=1)
    replay.age.fill_(70_000)
    draw = replay(FLAT, None, _marked(4).half(), generator())
    assert (draw.metrics["age"].float() - 70_000).abs() < 500


def test_without_x_slots_are_those_that_the_search_by_x_finds():
    replay, owners = _replay(20), torch.full((6,), NOTHING)
    for seed in range(5):
        slots, lost = replay._any(owners, generator(seed))
        searched, none = replay._slots(owners, generator(seed))
        assert torch.equal(slots, searched)
        assert torch.equal(lost, none)
        assert not lost.any()
