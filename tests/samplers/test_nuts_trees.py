"""The trees of NUTS: those of the definition, as deep as theory says, and each chain's its own."""

import pytest
import torch
from nuts_support import Numbers, spans, transition
from problems import (
    F64,
    PLANE,
    f64,
    generator,
    log_gamma,
    log_gamma_draws,
    randn,
    root,
    root_draws,
)
from samplers_support import bowl
from torch import Tensor

from ebmlab.samplers._run.run import run
from ebmlab.samplers._steps import turns
from ebmlab.samplers.metric import Dense, Diagonal
from ebmlab.samplers.nuts import NUTS
from ebmlab.types import Potential

WIDE = torch.logspace(-1, 1, 5, dtype=F64)
FACTOR = f64([[2.0, 0.0], [0.5, 0.3]])


def stretched(y: Tensor) -> Tensor:
    return bowl(y / WIDE)


# (u, start, step size)
TREES = {
    "skewed": (log_gamma, log_gamma_draws(60, seed=1), 0.3),
    "NaN below -1": (root, root_draws(60, seed=1), 0.1),
    "five scales": (stretched, WIDE * randn(40, 5, seed=1), 0.15),
    "banana": (PLANE["banana"].density.given(), randn(60, 2, seed=1), 0.3),
    "cliff": (lambda y: bowl(y) + 1e6 * (y[:, 0] > 1) * y[:, 0], randn(60, 2, seed=1), 0.2),
}


@pytest.mark.parametrize("name", TREES)
def test_every_chain_of_a_batch_makes_the_tree_of_the_definition_alone(name):
    u, start, step_size = TREES[name]
    sampler = NUTS(step_size, max_depth=6)
    numbers = Numbers.drawn(tuple(start.shape), 6, generator(2))
    after, info = sampler.step(
        Potential(u), sampler.init(Potential(u), start, generator()), generator(2)
    )
    due = [transition(u, y, step_size, numbers, chain) for chain, y in enumerate(start)]
    assert len({tree.depth for tree in due}) >= 3
    torch.testing.assert_close(after.y, torch.stack([tree.y for tree in due]))
    assert info.depth.tolist() == [tree.depth for tree in due]
    assert info.leapfrogs.tolist() == [tree.leapfrogs for tree in due]
    assert info.divergent.tolist() == [tree.divergent for tree in due]
    torch.testing.assert_close(info.acceptance, f64([tree.acceptance for tree in due]))
    torch.testing.assert_close(after.energy, u(after.y))


def first_turns(momenta: Tensor, plan: turns.Plan) -> list[int]:
    """The leaf that ends the branch of each chain by a U-turn, of momenta (leaves, d, chains)."""
    room = torch.zeros(2, len(plan.looked), *momenta[0].shape, dtype=F64)
    marks, total, ends = turns.Marks(room), torch.zeros_like(momenta[0]), []
    for leaf, momentum in enumerate(momenta):
        before, total = total, total + momentum
        ends.append(~marks.ahead(plan.looked[:, [leaf]], momentum, total))
        marks = marks.put(plan.place[leaf].expand(momentum.shape[1]), momentum, before)
    return torch.stack([*ends, torch.ones_like(ends[0])]).int().argmax(0).tolist()


def turned(momenta: Tensor, last: int) -> bool:
    """Whether a span that ends at a leaf has to be straight and is not, (leaves, d)."""
    due = [momenta[first : last + 1] for first, end in spans(len(momenta)) if end == last]
    return any(min(span.sum(0) @ span[0], span.sum(0) @ span[-1]) <= 0 for span in due)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
def test_marks_see_the_turns_of_the_definition(levels):
    momenta = randn(2**levels, 2, 800, seed=levels) + f64([[1.5], [0.0]])
    due = [
        next((leaf for leaf in range(len(one)) if turned(one, leaf)), len(one))
        for one in momenta.permute(2, 0, 1)
    ]
    plan = turns.plan(levels, torch.device("cpu"))
    assert first_turns(momenta, plan) == due
    # Each kind of span matters: whole blocks, and those to and from the middle of one.
    second, odd = torch.arange(2 * levels)[:, None] >= levels, torch.arange(2**levels) % 2 == 1
    for kind in (~second & odd, ~second & ~odd, second)[: 1 if levels == 1 else 3]:
        less = plan._replace(looked=plan.looked & ~kind)
        assert first_turns(momenta, less) != due


@pytest.mark.parametrize("metric", [Diagonal(f64([2.0, 0.3])), Dense(FACTOR)])
def test_a_metric_is_the_same_chain_in_whitened_coordinates(metric):
    factor = metric.spread(torch.eye(2, dtype=F64)).mT
    whitened = randn(50, 2, seed=3)
    u = PLANE["gaussian"].density.given()
    plain = run(NUTS(0.3), lambda q: u(q @ factor.mT), whitened, steps=3, rng=generator(4))
    ours = run(NUTS(0.3, metric), u, whitened @ factor.mT, steps=3, rng=generator(4))
    torch.testing.assert_close(ours.state.y, plain.state.y @ factor.mT)
    assert torch.equal(ours.info.leapfrogs, plain.info.leapfrogs)


# In many dimensions the trajectory turns when its length, in time, passes π: after the doubling
# that first gives (2^depth - 1) ε > π.
@pytest.mark.parametrize(
    ("step_size", "depth"), [(1.4, 2), (0.7, 3), (0.35, 4), (0.175, 5), (0.0875, 6)]
)
def test_the_trajectory_is_half_a_period_and_half_the_step_is_one_doubling_more(step_size, depth):
    chain = run(NUTS(step_size), bowl, randn(20, 1000, seed=5), steps=2, rng=generator(6))
    assert (chain.info.depth == 2 * depth).all()
    assert (chain.info.leapfrogs == 2 * (2**depth - 1)).all()


def test_a_trajectory_ends_at_its_largest_depth():
    info = run(NUTS(1e-3, max_depth=3), bowl, randn(20, 2), steps=4, rng=generator(1)).info
    assert (info.depth == 12).all()
    assert (info.leapfrogs == 4 * 7).all()


def counted(u):
    calls = []

    def v(y: Tensor) -> Tensor:
        calls.append(len(y))
        return u(y)

    return v, calls


def test_leapfrogs_are_the_gradients_taken():
    for seed in range(5):
        v, calls = counted(log_gamma)
        chain = run(
            NUTS(0.2), v, log_gamma_draws(1, seed=seed), steps=10, rng=generator(seed + 10)
        )
        assert chain.info.leapfrogs.tolist() == [len(calls) - 1]
    v, calls = counted(stretched)
    info = run(NUTS(0.1), v, WIDE * randn(30, 5), steps=1, rng=generator(3)).info
    assert info.leapfrogs.max() == len(calls) - 1
    assert info.leapfrogs.min() < info.leapfrogs.max()
    assert (info.leapfrogs >= 2**info.depth - 1).all()
    assert (info.leapfrogs <= 2 ** (info.depth + 1) - 1).all()


def test_a_chain_does_not_depend_on_how_long_the_others_take():
    short, long = randn(10, 2, seed=1), 10 * randn(10, 2, seed=2)
    scale = f64([[1.0]] * 10 + [[10.0]] * 10)
    beside = run(
        NUTS(0.3), lambda y: bowl(y / scale), torch.cat([short, long]), steps=4, rng=generator(7)
    )
    alike = run(NUTS(0.3), bowl, torch.cat([short, short]), steps=4, rng=generator(7))
    assert beside.info.leapfrogs[10:].min() > 2 * beside.info.leapfrogs[:10].max()
    assert torch.equal(beside.state.y[:10], alike.state.y[:10])
    assert torch.equal(beside.info.leapfrogs[:10], alike.info.leapfrogs[:10])
