"""`Collapse` and `Latent` see the rows of all ranks, find the same on each, and warn once."""

import warnings

import pytest
import torch
from problems import randn
from ranks_support import RANKS, on_two_ranks
from torch import nn

from ebmlab import methods
from ebmlab.errors import CollapseError
from ebmlab.metrics import Collapse, Latent
from ebmlab.networks import Operators

# Constant on each rank, and not the same: only all rows together vary.
APART = torch.tensor([[1.0, 2.0], [-3.0, 5.0], [0.0, 1.0], [2.0, 2.0]]).repeat_interleave(4, 0)
CONSTANT = torch.ones(16, 2)
X, Y = randn(24, 3), randn(24, 3, seed=1)


def told(function):
    """What a function returns or raises, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = function()
        except CollapseError as error:
            found = f"raised: {error}"
    return found, [str(warning.message) for warning in caught]


def looks(codes, numbers, **options):
    watch = Collapse(patience=2, outputs=4, **options)
    return told(lambda: [watch.look(codes, numbers, codes) for _ in range(3)])


def trained():
    torch.manual_seed(0)
    return methods.simsiam(nn.Linear(3, 4), 4, projection=4, bottleneck=2).double()


def latent():
    torch.manual_seed(0)
    return methods.jepa(nn.Identity(), 3, 2, predictor=Operators(3, 2)).double()


def everything(rank, ranks=RANKS):
    share = [t.chunk(ranks)[rank] for t in (APART, CONSTANT, X, Y)]
    # The mean of the ranks' losses is ln 4, neither of them is.
    loss = {"loss": torch.tensor(4.0).log() + (rank - 0.5 if ranks > 1 else 0.0)}
    method, views = trained(), (share[2], share[3])
    value = method(views, views)
    dead = Latent(patience=1)
    return (
        looks(share[0], loss),
        looks(share[1], {"loss": 0.0}),
        looks(share[1], {"loss": 0.0}, stop=True),
        Collapse()(method, (views, views), value),
        told(lambda: dead(latent(), (share[2], share[3]), value)),
    )


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(everything)


def test_ranks_see_what_one_process_sees(both):
    whole = everything(0, 1)
    for part in both:
        for i in (0, 1):
            for got, due in zip(part[i][0], whole[i][0], strict=True):
                assert got == pytest.approx(due, rel=1e-6)
        assert part[2][0] == whole[2][0]
        assert part[3] == pytest.approx(whole[3], rel=1e-9)
        assert part[4][0] == pytest.approx(whole[4][0], rel=1e-9)
    assert both[0][4][0]["latent_gain"] != 0


def test_the_first_rank_warns_for_all_and_all_stop(both):
    whole = everything(0, 1)
    assert [part[i][1] for part in both for i in (0, 1, 4)] == [
        *(whole[i][1] for i in (0, 1, 4)), [], [], [],
    ]  # fmt: skip
    assert len(whole[0][1]) == 1
    assert "loss stays at ln 4" in whole[0][1][0]
    assert len(whole[1][1]) == 2
    assert all("raised: codes are one constant vector" in part[2][0] for part in both)


def test_each_rank_by_itself_would_find_collapse():
    found, said = looks(APART.chunk(RANKS)[0][:4], None)
    assert found[0]["code_spread"] == 0.0
    assert "one constant vector" in said[0]
