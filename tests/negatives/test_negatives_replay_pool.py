import copy
import math

import pytest
import torch
from negatives_support import FLAT, Count
from problems import generator, randn

from ebmlab.energies import MLP, GaussianMixture
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.negatives import Replay
from ebmlab.samplers import MALA, Langevin


def test_state_saved_and_restored_gives_the_identical_next_draw():
    def filled(seed: int) -> Replay:
        return Replay(randn(20, 2, seed=seed), Langevin(0.1), steps=3, rebirth=0.3)

    energy, y, rng = MLP(2).double(), torch.zeros(8, 2).double(), generator()
    replay, restored = filled(0), filled(1)
    for _ in range(5):
        replay(energy, None, y, rng).commit()
    restored.load_state_dict(copy.deepcopy(replay.state_dict()))
    one, other = (each(energy, None, y, generator(9)) for each in (replay, restored))
    assert torch.equal(one.energies, other.energies)
    one.commit()
    other.commit()
    assert all(
        torch.equal(a, b) for a, b in zip(replay.buffers(), restored.buffers(), strict=True)
    )
    assert not torch.equal(filled(1)(energy, None, y, generator(9)).energies, one.energies)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_pool_keeps_its_dtype_and_the_energies_follow_y(dtype):
    replay = Replay(torch.zeros(10, 2, dtype=dtype), Langevin(0.1), steps=2)
    draw = replay(MLP(2), None, torch.zeros(4, 2), generator())
    draw.commit()
    assert draw.energies.dtype == torch.float32
    assert replay.pool.dtype == dtype
    assert (replay.pool != 0).any()


def test_the_callers_pool_is_copied():
    pool = torch.zeros(4, 2)
    replay = Replay(pool, Langevin(0.1), steps=1)
    replay(MLP(2), None, torch.zeros(4, 2), generator()).commit()
    assert torch.equal(pool, torch.zeros(4, 2))


@pytest.mark.parametrize("shape", [(5, 2), (4, 3), (4, 2, 1)])
def test_a_pool_smaller_than_the_batch_or_of_other_points_raises(shape):
    with pytest.raises(ShapeError, match="pool") as caught:
        Replay(torch.zeros(4, 2), Count(), 1)(FLAT, None, torch.zeros(shape), generator())
    assert str(shape) in str(caught.value)
    assert "(4, 2)" in str(caught.value)


@pytest.mark.parametrize(
    ("rebirth", "steps"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.1, 0), (0.1, -3)]
)
def test_replay_rejects_impossible_settings(rebirth, steps):
    with pytest.raises(ConfigurationError, match="rebirth is" if steps > 0 else "steps is"):
        Replay(torch.zeros(4, 2), Count(), steps, rebirth=rebirth)


def test_persistent_chains_reach_the_models_distribution():
    # Wells at ±2, births at the saddle: E|y| = 2, half the points on each side. The bounds are
    # 4.42 Monte-Carlo errors (0.5 over the root of 500), and room for the share of the young.
    energy = GaussianMixture(torch.tensor([[-2.0], [2.0]]), scale=0.5)
    replay = Replay(torch.zeros(500, 1), MALA(0.1), steps=5, rebirth=0.02)
    rng = generator()
    for _ in range(60):
        replay(energy, None, torch.zeros(100, 1), rng).commit()
    assert (replay.pool.abs().mean() - 2.0).abs() < 0.15
    assert ((replay.pool > 0).float().mean() - 0.5).abs() < 0.1
    short = Replay(torch.zeros(500, 1), MALA(0.1), steps=5)
    short(energy, None, torch.zeros(500, 1), rng).commit()
    assert (short.pool.abs().mean() - 2.0).abs() > 0.15
