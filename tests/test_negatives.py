"""Negatives: which points they are, what they cost, and what a commit writes back.

Replay is followed with a pool whose points carry their own history, (identity, steps moved), under
a sampler that counts: whatever the order of draws and commits, a slot's age and lineage must be
those of the point it holds.
"""

import copy
import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import (
    MLP,
    Cosine,
    Gaussian,
    GaussianMixture,
    JointEmbedding,
    SquaredDistance,
    Uniform,
)
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.losses import InfoNCE, difference
from ebmlab.negatives import FromData, InBatch, Noise, Replay
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Draw
from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import Info, Potential, State

FALSE_ALARM = 4.42  # normal quantile: two-sided false-alarm rate 1e-5


@dataclass(frozen=True)
class Count:
    """A kernel that adds 1 to the last coordinate of every chain."""

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        return State(y.detach(), u(y.detach()).detach(), torch.zeros_like(y))

    def step(self, u: Potential, state: State, rng: torch.Generator) -> tuple[State, Info]:
        y = state.y.clone()
        y[:, -1] += 1
        return State(y, u(y).detach(), state.grad), Info(torch.ones_like(state.energy))


FLAT = FunctionEnergy(lambda y: 0.0 * y.sum(-1))
POINT = FunctionEnergy(lambda y: y[:, 0])  # the energy is the point


@pytest.fixture(autouse=True)
def _same_networks():
    torch.manual_seed(0)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=_rng(seed), dtype=torch.float64)


# In batch


@pytest.mark.parametrize("b", [2, 3, 7])
@pytest.mark.parametrize("energy", [SquaredDistance(), MLP(3, x_dim=3).double()])
def test_in_batch_energies_are_the_off_diagonal_pairs(energy, b):
    x, y = _normal(b, 3), _normal(b, 3, seed=1)

    def others(i: int, of: Tensor) -> list[Tensor]:
        return [energy(x[i : i + 1], of[j : j + 1]) for j in range(b) if j != i]

    expected = torch.stack([torch.cat(others(i, y)) for i in range(b)])
    torch.testing.assert_close(InBatch()(energy, x, y).energies, expected)
    also_x = torch.stack([torch.cat(others(i, y) + others(i, x)) for i in range(b)])
    torch.testing.assert_close(InBatch(both=True)(energy, x, y).energies, also_x)


def _nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """SimCLR's loss: each of 2B codes finds its partner among the 2B - 1 others."""
    codes = [h / h.norm() for h in (*first, *second)]
    b, total = len(first), 2 * len(first)
    losses = []
    for i in range(total):
        logits = [codes[i] @ codes[j] / temperature for j in range(total) if j != i]
        partner = (i + b) % total
        losses.append(
            torch.logsumexp(torch.stack(logits), 0) - codes[i] @ codes[partner] / temperature
        )
    return torch.stack(losses).mean()


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("b", [2, 5, 8])
def test_two_views_with_both_are_simclrs_nt_xent(b, temperature):
    encoder = nn.Linear(4, 3).double()
    v1, v2 = _normal(b, 4).requires_grad_(), _normal(b, 4, seed=1).requires_grad_()
    objective = Contrastive(InfoNCE(temperature), InBatch(both=True))
    ours = objective(JointEmbedding(encoder, head=Cosine()), (v1, v2), (v1, v2)).value
    theirs = _nt_xent(encoder(v1), encoder(v2), temperature)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    leaves = [v1, v2, *encoder.parameters()]
    for a, b_ in zip(
        torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), strict=True
    ):
        torch.testing.assert_close(a, b_, rtol=0, atol=1e-10)


@pytest.mark.parametrize("both", [False, True])
def test_a_batch_of_one_has_no_negatives_in_it(both):
    with pytest.raises(ShapeError, match=r"\(1, 3\).*batch of one"):
        InBatch(both)(SquaredDistance(), torch.zeros(1, 3), torch.zeros(1, 3))


def test_in_batch_does_not_stretch_one_x_over_many_y():
    with pytest.raises(ShapeError, match=r"x.*\(1, 2\).*y.*\(4, 2\)"):
        InBatch()(SquaredDistance(), torch.zeros(1, 2), torch.zeros(4, 2))


# Noise


def test_noise_energies_are_those_of_the_densitys_own_draws():
    density = Gaussian(torch.ones(2).double(), torch.eye(2).double())
    draws = density.sample(3 * 5, _rng()).reshape(3, 5, 2)
    energy, x, y = MLP(2, x_dim=1).double(), _normal(5, 1), torch.zeros(5, 2).double()
    found = Noise(density, k=3)(energy, x, y, _rng()).energies
    expected = [[energy(x[i : i + 1], draws[j, i : i + 1]) for j in range(3)] for i in range(5)]
    torch.testing.assert_close(found, torch.stack([torch.cat(row) for row in expected]))
    alone = MLP(2).double()
    found = Noise(density, k=3)(alone, None, y, _rng()).energies
    torch.testing.assert_close(found, alone(None, draws).mT)


def _first_two_moments_agree(draws: Tensor, mean: float, variance: float) -> bool:
    n = draws.numel()
    off_mean = (draws.mean() - mean).abs() / (variance / n) ** 0.5
    # The sample variance of n normal draws has standard error variance * sqrt(2 / n).
    off_variance = (draws.var() - variance).abs() / (variance * (2 / n) ** 0.5)
    return bool((off_mean < FALSE_ALARM) & (off_variance < FALSE_ALARM))


def test_noise_has_the_moments_of_its_density():
    noise = Noise(Gaussian(torch.tensor([1.0]), torch.tensor([[4.0]])), k=50)
    draws = noise(POINT, None, torch.zeros(400, 1), _rng()).energies
    assert draws.shape == (400, 50)
    assert _first_two_moments_agree(draws, 1.0, 4.0)
    assert not _first_two_moments_agree(draws, 1.1, 4.0)
    assert not _first_two_moments_agree(draws, 1.0, 3.7)


def test_noise_follows_the_dtype_of_y():
    energies = Noise(Uniform(torch.zeros(1), torch.ones(1)), k=2)(
        POINT, None, torch.zeros(3, 1).double(), _rng()
    ).energies
    assert energies.dtype == torch.float64


@pytest.mark.parametrize("k", [0, -1])
def test_noise_wants_at_least_one_draw(k):
    with pytest.raises(ConfigurationError, match=f"k is {k}"):
        Noise(Uniform(torch.zeros(1), torch.ones(1)), k)


def test_noise_of_another_dimension_than_y_raises():
    noise = Noise(Uniform(torch.zeros(3), torch.ones(3)))
    with pytest.raises(ShapeError, match="y"):
        noise(MLP(2), None, torch.zeros(4, 2), _rng())


@pytest.mark.parametrize("k", [1, 2, 3])
def test_infonce_is_stationary_and_lowest_at_the_density_over_the_noise(k):
    # Five points, data p, noise q: the expectation over y ~ p and k draws of q, summed exactly.
    p = torch.tensor([0.1, 0.3, 0.05, 0.4, 0.15], dtype=torch.float64)
    q = torch.tensor([0.3, 0.1, 0.2, 0.15, 0.25], dtype=torch.float64)
    index = torch.tensor(list(itertools.product(range(5), repeat=k + 1)))
    share = p[index[:, 0]] * q[index[:, 1:]].prod(1)

    def expected(energy: Tensor) -> Tensor:
        return share @ InfoNCE()(energy[index[:, 0]], energy[index[:, 1:]])

    best = (-p.log() + q.log() + 0.7).requires_grad_()
    (grad,) = torch.autograd.grad(expected(best), best)
    torch.testing.assert_close(grad, torch.zeros_like(grad), rtol=0, atol=1e-14)
    for seed in range(20):
        assert expected(best + 0.3 * _normal(5, seed=seed)) > expected(best)
    plain = (-p.log()).requires_grad_()
    (grad,) = torch.autograd.grad(expected(plain), plain)
    assert grad.abs().max() > 1e-3


def _mean_excess(objective: Contrastive, other: Energy, best: Energy, x: Tensor, y: Tensor):
    """Mean and standard error of loss(other) - loss(best), on the same draws, over 40 batches."""
    rng, again = _rng(1), _rng(1)
    gaps = torch.stack(
        [
            objective(other, a, b, rng).value - objective(best, a, b, again).value
            for a, b in zip(x.chunk(40), y.chunk(40), strict=True)
        ]
    )
    return gaps.mean(), gaps.std() / len(gaps) ** 0.5


def test_contrast_with_uniform_noise_is_lowest_at_the_conditional_density():
    # y | x ~ N(x, 1/4). False-alarm rate below 1e-4 each: 5 standard errors of 40 batch means.
    x = 4 * torch.rand(20_000, 1, generator=_rng()) - 2
    y = x + 0.5 * torch.randn(20_000, 1, generator=_rng(2))
    objective = Contrastive(
        InfoNCE(), Noise(Uniform(-torch.tensor([6.0]), torch.tensor([6.0])), 4)
    )

    def energy(shift: float = 0.0, scale: float = 1.0, of_x: float = 0.0) -> Energy:
        def function(x: Tensor, y: Tensor) -> Tensor:
            return (scale * 2 * (y - x - shift).square() + of_x * x.square()).squeeze(-1)

        return FunctionEnergy(function, ("x", "y"))

    best = energy()
    for other in (energy(shift=0.15), energy(scale=1.5), energy(scale=0.6)):
        mean, error = _mean_excess(objective, other, best, x, y)
        assert mean > 5 * error
        mean, error = _mean_excess(objective, best, other, x, y)
        assert not mean > 5 * error
    mean, _ = _mean_excess(objective, energy(of_x=3.0), best, x, y)
    torch.testing.assert_close(mean, torch.tensor(0.0), rtol=0, atol=1e-5)


# From the data


def test_from_data_starts_at_the_data_and_takes_its_steps():
    y = _normal(5, 2)
    last = FunctionEnergy(lambda y: y[:, -1])
    draw = FromData(Count(), steps=3)(last, None, y, _rng())
    torch.testing.assert_close(draw.energies, y[:, 1:] + 3)
    torch.testing.assert_close(draw.metrics["moved"], torch.tensor(3.0).double())


@pytest.mark.parametrize("sampler", [Langevin(0.1), MALA(0.2)])
@pytest.mark.parametrize("x_dim", [0, 2])
def test_contrastive_divergence_is_the_slope_at_the_data_minus_that_at_the_chains_ends(
    sampler, x_dim
):
    energy = MLP(2, x_dim=x_dim, hidden=(8,)).double()
    x, y = (_normal(16, x_dim) if x_dim else None), _normal(16, 2, seed=1)
    Contrastive(difference, FromData(sampler, 5))(energy, x, y, _rng()).value.backward()
    end = run(sampler, energy.given(x), y, steps=5, rng=_rng()).state.y
    parameters = list(energy.parameters())
    low = torch.autograd.grad(energy(x, y).mean(), parameters)
    high = torch.autograd.grad(energy(x, end).mean(), parameters)
    for parameter, a, b in zip(parameters, low, high, strict=True):
        torch.testing.assert_close(parameter.grad, a - b, rtol=1e-10, atol=1e-12)
    assert energy.network[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    "negatives", [FromData(Langevin(0.1), 4), Replay(torch.zeros(20, 2), MALA(0.1), 4)]
)
def test_no_step_of_a_chain_is_in_the_graph_of_its_energies(negatives):
    energy, y = MLP(2), torch.ones(8, 2, requires_grad=True)
    draw = negatives(energy, None, y, _rng())
    bias = energy.network[-1].bias
    slope, of_y = torch.autograd.grad(draw.energies.sum(), [bias, y], allow_unused=True)
    torch.testing.assert_close(slope, torch.tensor([8.0]))
    assert of_y is None


@pytest.mark.parametrize(
    "negatives", [FromData(Langevin(0.1), 2), Replay(torch.zeros(20, 3), Langevin(0.1), 2)]
)
def test_chains_among_codes_report_detached_metrics_and_reach_the_encoder_of_x_only(negatives):
    online, target = nn.Linear(4, 3), nn.Linear(4, 3)
    energy = JointEmbedding(online, target, SquaredDistance())
    x, y = _normal(6, 4).float(), _normal(6, 4, seed=1).float()
    _, hx, hy = energy.embed(x, y)
    draw = negatives(energy.head, hx, hy, _rng())
    assert not any(metric.requires_grad for metric in draw.metrics.values())
    draw.energies.sum().backward()
    assert online.weight.grad.abs().max() > 0
    assert target.weight.grad is None


class Jittered(Energy):
    """A flat energy that draws noise, and remembers it."""

    takes_x, stochastic = False, True

    def __init__(self) -> None:
        super().__init__()
        self.noise: list[Tensor] = []

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None, *, rng) -> Tensor:
        self.noise.append(torch.randn(y.shape, generator=rng, dtype=y.dtype))
        return 0.0 * y.sum(-1)


def test_the_noise_of_a_stochastic_energy_is_not_that_of_the_chain():
    energy, y = Jittered(), _normal(6, 2)
    replay = Replay(y, Langevin(0.5), steps=1, rebirth=0.0)
    replay(energy, None, y, _rng()).commit()
    assert torch.equal(energy.noise[0], energy.noise[1])  # within a chain it is one function
    chain = (replay.pool - y).flatten()
    assert not torch.isclose(chain[:, None], energy.noise[0].flatten()).any()


# Replay


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
    draw = _draw(replay, 12, _rng())
    assert all(torch.equal(value, before[name]) for name, value in _buffers(replay).items())
    draw.commit()
    touched = replay.age > 0
    assert touched.sum() == 12
    assert torch.equal(replay.age[touched], torch.full((12,), 2))
    assert torch.equal(replay.pool[:, 1], replay.age.double())
    assert torch.equal(replay.pool[:, 0], torch.arange(30).double())
    assert torch.equal(replay.lineage, torch.arange(30))


def test_a_commit_writes_the_ends_whose_energies_were_drawn():
    replay = Replay(_normal(6, 2), Langevin(0.1), steps=3, rebirth=0.0)
    energy = MLP(2).double()
    draw = replay(energy, None, torch.zeros(6, 2).double(), _rng())
    draw.commit()
    torch.testing.assert_close(
        energy(None, replay.pool).sort().values, draw.energies[:, 0].sort().values
    )


def test_slots_are_spread_over_the_whole_pool():
    replay, rng = _replay(40), _rng()
    for _ in range(60):
        _draw(replay, 5, rng).commit()
    # A slot is missed 60 times with probability (7/8)^60: some slot, below 40 * 3.4e-4 = 1.4 %.
    assert (replay.age > 0).all()
    assert replay.age.sum() == 300


def test_lineages_stay_distinct_and_belong_to_their_points_for_ever():
    replay, rng = _replay(24, steps=2, rebirth=0.3), _rng()
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
    replay, rng = _replay(6, steps=2, rebirth=0.4), _rng()
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
    replay, twin, rng = _replay(10, rebirth=0.5), _replay(10, rebirth=0.5), _rng()
    _draw(replay, 5, rng)
    _draw(replay, 5, _rng(1)).commit()
    next(itertools.islice(twin.birth.ids, 4, None))
    _draw(twin, 5, _rng(1)).commit()
    assert all(torch.equal(a, b) for a, b in zip(replay.buffers(), twin.buffers(), strict=True))


def test_rebirths_occur_with_their_probability():
    replay, rng = _replay(32, rebirth=0.3), _rng()
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
        replay, rng = _replay(8, rebirth=rebirth), _rng()
        for _ in range(5):
            _draw(replay, 8, rng).commit()
        assert int(replay.born) == born
        assert torch.equal(replay.age, torch.full((8,), 5 if rebirth == 0 else 1))


def test_without_a_birth_function_chains_start_anew_in_the_first_pool():
    replay, rng = Replay(_marked(10), Count(), steps=7, rebirth=1.0), _rng()
    for _ in range(4):
        _draw(replay, 10, rng).commit()
    assert torch.equal(replay.pool[:, 1], torch.full((10,), 7.0).double())
    assert torch.equal(replay.first, _marked(10))


def test_age_metric_is_the_mean_over_the_pool_when_drawn():
    replay, rng = _replay(10, steps=4), _rng()
    first = _draw(replay, 5, rng)
    first.commit()
    assert first.metrics["age"] == 0
    assert _draw(replay, 5, rng).metrics["age"] == 2.0
    assert first.metrics["moved"] == 4.0


def test_age_metric_does_not_overflow_beside_half_precision_points():
    replay = Replay(torch.zeros(4, 2).half(), Count(), steps=1)
    replay.age.fill_(70_000)
    draw = replay(FLAT, None, torch.zeros(4, 2).half(), _rng())
    assert (draw.metrics["age"].float() - 70_000).abs() < 500


def test_state_saved_and_restored_gives_the_identical_next_draw():
    def filled(seed: int) -> Replay:
        return Replay(_normal(20, 2, seed=seed), Langevin(0.1), steps=3, rebirth=0.3)

    energy, y, rng = MLP(2).double(), torch.zeros(8, 2).double(), _rng()
    replay, restored = filled(0), filled(1)
    for _ in range(5):
        replay(energy, None, y, rng).commit()
    restored.load_state_dict(copy.deepcopy(replay.state_dict()))
    one, other = (each(energy, None, y, _rng(9)) for each in (replay, restored))
    assert torch.equal(one.energies, other.energies)
    one.commit()
    other.commit()
    assert all(
        torch.equal(a, b) for a, b in zip(replay.buffers(), restored.buffers(), strict=True)
    )
    assert not torch.equal(filled(1)(energy, None, y, _rng(9)).energies, one.energies)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_pool_keeps_its_dtype_and_the_energies_follow_y(dtype):
    replay = Replay(torch.zeros(10, 2, dtype=dtype), Langevin(0.1), steps=2)
    draw = replay(MLP(2), None, torch.zeros(4, 2), _rng())
    draw.commit()
    assert draw.energies.dtype == torch.float32
    assert replay.pool.dtype == dtype
    assert (replay.pool != 0).any()


def test_the_callers_pool_is_copied():
    pool = torch.zeros(4, 2)
    replay = Replay(pool, Langevin(0.1), steps=1)
    replay(MLP(2), None, torch.zeros(4, 2), _rng()).commit()
    assert torch.equal(pool, torch.zeros(4, 2))


@pytest.mark.parametrize("shape", [(5, 2), (4, 3), (4, 2, 1)])
def test_a_pool_smaller_than_the_batch_or_of_other_points_raises(shape):
    with pytest.raises(ShapeError, match="pool") as caught:
        Replay(torch.zeros(4, 2), Count(), 1)(FLAT, None, torch.zeros(shape), _rng())
    assert str(shape) in str(caught.value)
    assert "(4, 2)" in str(caught.value)


@pytest.mark.parametrize(
    ("rebirth", "steps"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.1, 0), (0.1, -3)]
)
def test_replay_rejects_impossible_settings(rebirth, steps):
    with pytest.raises(ConfigurationError, match="rebirth is"):
        Replay(torch.zeros(4, 2), Count(), steps, rebirth=rebirth)


def test_persistent_chains_reach_the_models_distribution():
    # Wells at ±2, births at the saddle: E|y| = 2, half the points on each side. The bounds are
    # 4.42 Monte-Carlo errors (0.5 over the root of 500), and room for the share of the young.
    energy = GaussianMixture(torch.tensor([[-2.0], [2.0]]), scale=0.5)
    replay = Replay(torch.zeros(500, 1), MALA(0.1), steps=5, rebirth=0.02)
    rng = _rng()
    for _ in range(60):
        replay(energy, None, torch.zeros(100, 1), rng).commit()
    assert (replay.pool.abs().mean() - 2.0).abs() < 0.15
    assert ((replay.pool > 0).float().mean() - 0.5).abs() < 0.1
    short = Replay(torch.zeros(500, 1), MALA(0.1), steps=5)
    short(energy, None, torch.zeros(500, 1), rng).commit()
    assert (short.pool.abs().mean() - 2.0).abs() > 0.15
