"""Training on two or four ranks is training on one, for every recipe and every objective.

Losses, gradients and state of three steps, in training mode, with commits.
"""

from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from as_one_support import CASES, farthest, recipes, refused, train_all, trained
from ranks_support import on_ranks

# What no rank can do as one process does: the part of the state it is about, and why.
EXEMPT = {
    "paws": (
        "running_var",
        "each rank normalizes all of the support, whose rows then count once for each of them: "
        "the same variance, of more rows",
    )
}
SCALAR = "fully_shard takes no scalar parameters"
OUTSIDE = "the commit encodes, where parameters are shares"
WHOLE = "the commit writes a whole parameter, where each rank has a share"
NOT_SHARDED = {
    "nce": SCALAR,
    "MinimumProbabilityFlow": SCALAR,
    "ConcreteScore": SCALAR,
    "NCE, constant": SCALAR,
    "vq_vae": OUTSIDE,
    "skip_gram": OUTSIDE,
    "VectorQuantized": OUTSIDE,
    "VectorQuantized, learned": OUTSIDE,
    "Likelihood, codes": OUTSIDE,
    "deepcluster": WHOLE,
}
# By default every recipe that takes less than half a second, and all else with `-m slow`.
LONG = {"energy_matching", "nnclr", "deepercluster"}
DEFAULT = [
    *(name for name in recipes.RECIPES if name not in LONG),
    "SlicedScore, normalized",
    "DenoisingScore, normalized",
    "ConvEncoder",
]
SHARDED, ON_FOUR = ["simclr", "ExactScore, normalized", "nce"], ["simclr", "improved_cd"]
SINGLE = ["simclr", "denoising_score"]
# What has batch normalization, or draws numbers.
NORMALIZED, RANDOM = ["simclr", "ConvEncoder"], "vae"


# torch's own batch normalization has other third derivatives than its formula.
BY_FORMULA = ["SlicedScore, normalized", "ExactScore, normalized"]
SEVERAL = mock.patch("ebmlab.networks.batch_norm.rank_count", return_value=2)


def unsynchronized(rank, ranks, name):
    with mock.patch("ebmlab.networks.batch_norm.rank_count", return_value=1):
        return trained(name, rank, ranks, "ddp")


def undealt(rank, ranks):
    with mock.patch("as_one_support.Dealt", return_value=nullcontext()):
        return trained(RANDOM, rank, ranks, "ddp")


def on_two(rank, ranks):
    return {
        "ddp": train_all(rank, ranks, DEFAULT, "ddp"),
        "shard": train_all(rank, ranks, SHARDED, "shard"),
        "single": train_all(rank, ranks, SINGLE, "ddp", torch.float32),
        "refused": {name: refused(rank, name) for name in DEFAULT},
        "unsynchronized": {name: unsynchronized(rank, ranks, name) for name in NORMALIZED},
        "undealt": {RANDOM: undealt(rank, ranks)},
    }


@pytest.fixture(scope="module")
def two():
    return on_ranks(2, on_two, 2)


@pytest.fixture(scope="module")
def four():
    return on_ranks(4, train_all, 4, ON_FOUR, "ddp")


@pytest.fixture(scope="module")
def alone():
    known = {}

    def of(name, dtype=torch.float64):
        if (name, dtype) not in known:
            with SEVERAL if name in BY_FORMULA else nullcontext():
                known[name, dtype] = trained(name, dtype=dtype)
        return known[name, dtype]

    return of


def require_one(name, alone, parts, within=1e-12):
    for part in parts:
        assert not isinstance(part, str), part
    steps, state = alone
    exempt = EXEMPT.get(name, (None, ""))[0]
    kept = {key: value for key, value in state.items() if not exempt or exempt not in key}
    parts = [(found, {key: own[key] for key in kept}) for found, own in parts]
    assert farthest((steps, kept), parts) < (within, "")


@pytest.mark.parametrize("name", DEFAULT)
def test_two_ranks_train_as_one(two, alone, name):
    require_one(name, alone(name), [part["ddp"][name] for part in two])


@pytest.mark.parametrize("name", ON_FOUR)
@pytest.mark.slow
def test_four_ranks_train_as_one(four, alone, name):
    require_one(name, alone(name), [part[name] for part in four])


@pytest.mark.parametrize("name", SINGLE)
def test_in_single_precision_too(two, alone, name):
    parts = [part["single"][name] for part in two]
    require_one(name, alone(name, torch.float32), parts, within=1e-6)


@pytest.mark.parametrize("name", SHARDED)
def test_shards_train_as_one(two, alone, name):
    require_shards(name, alone, [part["shard"][name] for part in two])


def require_shards(name, alone, parts):
    if name in NOT_SHARDED:
        assert all(isinstance(part, str) for part in parts), NOT_SHARDED[name]
    else:
        require_one(name, alone(name), parts)


@pytest.mark.parametrize("name", DEFAULT)
def test_unequal_batches_are_refused_on_all_ranks(two, name):
    for part in two:
        assert "the batch differs between ranks: rank 0 x (" in part["refused"][name]


@pytest.mark.parametrize("name", EXEMPT)
def test_an_exemption_is_needed(two, alone, name):
    found = farthest(alone(name), [part["ddp"][name] for part in two])
    assert found > (1e-3, "")
    assert EXEMPT[name][0] in found[1]


@pytest.mark.parametrize("name", NORMALIZED)
def test_without_the_statistics_of_all_ranks_the_numbers_are_others(two, alone, name):
    parts = [part["unsynchronized"][name] for part in two]
    assert farthest(alone(name), parts) > (1e-4, "")


def test_with_numbers_of_their_own_the_ranks_are_not_one(two, alone):
    assert farthest(alone(RANDOM), [part["undealt"][RANDOM] for part in two]) > (1e-4, "")


def refused_all(rank):
    return [refused(rank, name) for name in CASES]


@pytest.mark.slow
def test_unequal_batches_are_refused_by_all():
    for part in on_ranks(2, refused_all):
        assert all("the batch differs between ranks: rank 0 x (" in said for said in part)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_all_train_as_one(alone, ranks):
    parts = on_ranks(ranks, train_all, ranks, list(CASES), "ddp")
    for name in CASES:
        require_one(name, alone(name), [part[name] for part in parts])


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_shards_of_all_train_as_one(alone, ranks):
    parts = on_ranks(ranks, train_all, ranks, list(CASES), "shard")
    for name in CASES:
        require_shards(name, alone, [part[name] for part in parts])
