"""Two ranks have the loss and, averaged as DDP does, the gradient of one process."""

import pytest
import torch
from problems import randn
from ranks_support import RANKS, on_two_ranks

from ebmlab.energies import SquaredDistance, Whitened
from ebmlab.errors import ShapeError
from ebmlab.objectives import Regularized
from ebmlab.regularizers import BarlowTwins, MeanEntropy, SIGReg, VICReg

LOSSES = {
    "VICReg": VICReg(),
    "BarlowTwins": BarlowTwins(),
    "SIGReg": SIGReg(directions=8),
    "MeanEntropy": MeanEntropy(0.5),
    "Whitened": lambda x, y: Whitened(SquaredDistance())(x, y).mean(),
    "Whitened, groups": lambda x, y: Whitened(SquaredDistance(), rows=6)(x, y).mean(),
    "Regularized": lambda x, y: Regularized(VICReg())(SquaredDistance(), x, y).value,
}
VIEWS = randn(2, 12, 3).unbind(0)


def loss_and_slopes(name, views):
    own = [view.clone().requires_grad_() for view in views]
    value = LOSSES[name](*own)
    value.backward()
    return value.detach(), [h.grad for h in own]


def unequal(rank, regularizer):
    h = randn(8, 3)[: 3 + rank]
    try:
        return regularizer(h, h)
    except ShapeError as error:
        return str(error)


def everything(rank):
    shares = [view.chunk(RANKS)[rank] for view in VIEWS]
    found = {name: loss_and_slopes(name, shares) for name in LOSSES}
    one = randn(2, 3)[rank : rank + 1]
    parts = randn(7, 3).split([3, 4])[rank]
    return found, unequal(rank, VICReg()), VICReg()(one, one), LOSSES["SIGReg"](parts, parts)


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(everything)


@pytest.mark.parametrize("name", LOSSES)
def test_two_ranks_equal_one_process(both, name):
    value, slopes = loss_and_slopes(name, VIEWS)
    parts = [part[0][name] for part in both]
    torch.testing.assert_close(torch.stack([part[0] for part in parts]).mean(), value)
    for i, slope in enumerate(slopes):
        found = torch.cat([part[1][i] for part in parts]) / RANKS
        torch.testing.assert_close(found, slope)


def test_without_the_other_ranks_rows_the_loss_is_another():
    for name in ("VICReg", "BarlowTwins", "SIGReg", "MeanEntropy", "Whitened"):
        shares = zip(*(view.chunk(RANKS) for view in VIEWS), strict=True)
        alone = torch.stack([LOSSES[name](*share) for share in shares]).mean()
        assert (alone - LOSSES[name](*VIEWS)).abs() > 1e-3, name


def test_fault_32_unequal_batches_are_named_where_rows_are_exchanged(both):
    for part in both:
        assert "codes differs between ranks: rank 0 (3, 3); rank 1 (4, 3)" in part[1]


def test_one_row_on_each_rank_is_a_population_and_sigreg_takes_unequal_ones(both):
    two, seven = randn(2, 3), randn(7, 3)
    for part in both:
        torch.testing.assert_close(part[2], VICReg()(two, two))
        torch.testing.assert_close(part[3], LOSSES["SIGReg"](seven, seven))
