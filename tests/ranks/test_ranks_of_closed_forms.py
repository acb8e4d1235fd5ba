"""Closed-form steps: two ranks with unequal batches move as one process that holds all rows."""

import pytest
import torch
from autoencoders_support import linear
from problems import F64, f64, randn
from ranks_support import RANKS, on_two_ranks
from torch import nn

from ebmlab import FreeEnergy, Method, methods
from ebmlab._ranks import averaged
from ebmlab.energies import Assignment
from ebmlab.errors import DivergenceError, NonFiniteError
from ebmlab.inference import Centered
from ebmlab.networks import Codebook
from ebmlab.objectives import Regularized

D = 3
# Rows of the two ranks in each commit.
SHARES = ([13, 7], [4, 16], [10, 10])
BATCHES = [randn(sum(rows), D, seed=i) * f64([3.0, 1.0, 0.5]) for i, rows in enumerate(SHARES)]
# Two near the data, and five that no datum finds.
CODES = torch.cat([randn(2, D, seed=7), 50.0 + 10.0 * randn(5, D, seed=8)])
SPREADS = {
    "full": torch.eye(D, dtype=F64).repeat(2, 1, 1),
    "diagonal": torch.ones(2, D, dtype=F64),
    "spherical": torch.ones(2, dtype=F64),
}


def mixture(kind, **options):
    return methods.gmm(2 * randn(2, D, seed=9), SPREADS[kind], **options)


def quantizer(codebook, *, parts=False, **options):
    pieces = 2 if parts else 1
    f, g = linear(D, pieces * D), linear(pieces * D, D, seed=1)
    if parts:
        f = nn.Sequential(f, nn.Unflatten(1, (pieces, D)))
        g = nn.Sequential(nn.Flatten(), g)
    return methods.vq_vae(f, g, codebook, parts=parts, **options)


def centered():
    return Method(FreeEnergy(Assignment(), Centered(D, momentum=0.7)), Regularized()).double()


CASES = {
    "k-means, Lloyd": lambda: methods.kmeans(CODES),
    "k-means, running means": lambda: methods.kmeans(CODES, decay=1.0, restart=0.2),
    "k-means, warm": lambda: methods.kmeans(CODES[:4] / 20, 2.0, decay=0.5),
    "mixture, full": lambda: mixture("full"),
    "mixture, diagonal": lambda: mixture("diagonal", decay=0.9),
    "mixture, spherical": lambda: mixture("spherical", decay=1.0),
    "PCA": lambda: methods.pca(D, 2).double(),
    "PCA, decaying": lambda: methods.pca(D, 2, decay=0.5).double(),
    "VQ-VAE": lambda: quantizer(CODES, restart=0.2),
    "VQ-VAE, parts": lambda: quantizer(CODES, decay=0.5, restart=0.2, parts=True),
    "VQ-VAE, learned codes": lambda: quantizer(nn.Parameter(CODES.clone()), restart=0.2),
    "centered": centered,
}
RESTARTING = [name for name in CASES if name.startswith(("k-means, L", "k-means, r", "VQ-VAE"))]
# Rows, and how many of them lie on each rank: both, one alone, fewer than there are codes.
RESTARTS = [(BATCHES[0], [13, 7]), (BATCHES[0], [20, 0]), (BATCHES[0][:5], [2, 3])]


def trained(method, batches):
    """The loss before each commit, and the state at the end; a whole call refuses such batches."""
    values = []
    for y in batches:
        x = y if isinstance(method.energy.energy, Assignment) else None
        loss = method.objective.forward(method.energy, x, y, None)
        values.append(loss.value.detach())
        loss.commit()
        method.energy.codes(x, y).update()
    return torch.stack(values), dict(method.state_dict())


def own_share(rank):
    return [y.split(rows)[rank] for y, rows in zip(BATCHES, SHARES, strict=True)]


def refused(build, y, error):
    """The error that a commit raises, and whether the state has stayed as it was."""
    method = build()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with pytest.raises(error) as raised:
        method(None, y).commit()
    stayed = all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    return str(raised.value), stayed


def restarted(rows):
    """A codebook, all of whose codes are dead but the first, after its step on these data."""
    book = Codebook(CODES)
    book.learn(rows, torch.zeros(1, len(rows), dtype=torch.long), torch.ones(1, len(rows)).to(F64))
    return book.codes, book.counts, book.restarts


def everything(rank):
    found = {name: trained(build(), own_share(rank)) for name, build in CASES.items()}
    one = torch.zeros(4, D, dtype=F64)
    spoilt = torch.full_like(one, torch.nan) if rank else randn(4, D)
    refusals = {
        "k-means": refused(CASES["k-means, Lloyd"], spoilt, NonFiniteError),
        "PCA": refused(CASES["PCA"], spoilt, NonFiniteError),
        "mixture": refused(CASES["mixture, full"], spoilt, DivergenceError),
    }
    return found, refusals, [restarted(rows.split(split)[rank]) for rows, split in RESTARTS]


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(everything)


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_move_as_one_process(both, name):
    values, state = trained(CASES[name](), BATCHES)
    ranks = [part[0][name] for part in both]
    rows = torch.tensor(SHARES, dtype=F64)
    mean = sum(rows[:, i] * ranks[i][0] for i in range(RANKS)) / rows.sum(1)
    torch.testing.assert_close(mean, values, rtol=1e-12, atol=1e-12)
    for key, value in state.items():
        assert torch.equal(ranks[0][1][key], ranks[1][1][key]), key
        torch.testing.assert_close(ranks[0][1][key], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_rank_that_knows_its_own_rows_only_moves_elsewhere(name):
    _, whole = trained(CASES[name](), BATCHES)
    for rank in range(RANKS):
        _, own = trained(CASES[name](), own_share(rank))
        apart = [(own[key] - whole[key]).abs().amax() for key in whole]
        assert max(apart) > 1e-2


# Where nothing begins again, the sameness of the choice would not have been tried.
@pytest.mark.parametrize("name", RESTARTING)
def test_codes_begin_again_in_these_cases(name):
    _, state = trained(CASES[name](), BATCHES)
    assert max(int(value) for key, value in state.items() if key.endswith("restarts")) > 0


def test_codes_begin_again_from_the_farthest_rows_of_both_ranks():
    codes, _, _ = restarted(BATCHES[0])
    rows = (codes[:, None] == BATCHES[0]).all(-1).any(0).nonzero().flatten()
    assert {bool(row >= SHARES[0][0]) for row in rows} == {False, True}


@pytest.mark.parametrize("case", range(len(RESTARTS)))
def test_codes_begin_again_alike_also_where_a_rank_has_no_rows_or_both_have_few(both, case):
    codes, counts, restarts = restarted(RESTARTS[case][0])
    assert int(restarts) >= 4
    for part in both:
        got = part[2][case]
        torch.testing.assert_close(got[0], codes, rtol=1e-12, atol=1e-12)
        assert torch.equal(got[1], counts)
        assert torch.equal(got[2], restarts)


def test_what_one_rank_cannot_take_is_refused_on_both_and_nothing_moves(both):
    for part in both:
        assert "NaN" in part[1]["k-means"][0]
        assert "NaN" in part[1]["PCA"][0]
        assert "not finite" in part[1]["mixture"][0]
        assert all(stayed for _, stayed in part[1].values())


def test_means_of_half_precision_do_not_overflow():
    mean, count = averaged(torch.ones(70_000, 1, dtype=torch.float16))
    assert (mean.tolist(), float(count)) == ([1.0], 70_000)
    assert not torch.ones(70_000, dtype=torch.float16).sum().isfinite()
