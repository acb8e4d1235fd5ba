"""Past, hard and reweighted negatives."""

import math

import pytest
import torch
from problems import randn

from ebmlab.energies import Cosine, SquaredDistance
from ebmlab.errors import ConfigurationError
from ebmlab.losses import InfoNCE
from ebmlab.negatives import Hard, InBatch, Queue, Reweighted


def test_a_queue_gives_every_x_the_energies_of_all_past_codes():
    queue, x, y = Queue(7, 3).double(), randn(4, 3), randn(4, 3, seed=1).requires_grad_()
    draw = queue(SquaredDistance(), x, y)
    past = queue.memory.codes.clone()
    due = (x[:, None] - past[None]).square().sum(-1)
    torch.testing.assert_close(draw.energies, due)
    assert not draw.energies.requires_grad
    assert torch.equal(queue.memory.codes, past)
    draw.commit()
    torch.testing.assert_close(queue.memory.codes, torch.cat([y.detach(), past[4:]]))


@pytest.mark.parametrize("k", [1, 3])
def test_hard_negatives_are_those_of_lowest_energy(k):
    x, y = randn(6, 3), randn(6, 3, seed=1)
    everything = InBatch(both=True)(Cosine(), x, y).energies
    hard = Hard(InBatch(both=True), k)(Cosine(), x, y).energies
    torch.testing.assert_close(hard, everything.sort(1).values[:, :k])
    queue = Queue(9, 3).double()
    draw = Hard(queue, k)(Cosine(), x, y)
    draw.commit()
    torch.testing.assert_close(queue.memory.codes[:6], y)


def test_hard_negatives_are_no_more_than_there_are():
    with pytest.raises(ConfigurationError, match="k is 6, but there are 5"):
        Hard(InBatch(), 6)(Cosine(), randn(6, 3), randn(6, 3))
    with pytest.raises(ConfigurationError, match="k is 0"):
        Hard(InBatch(), 0)


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
def test_reweighted_negatives_are_robinsons_loss(beta):
    x, y, temperature = randn(6, 3).requires_grad_(), randn(6, 3, seed=1).requires_grad_(), 0.5
    draw = Reweighted(InBatch(both=True), beta, temperature)(Cosine(), x, y)
    ours = InfoNCE(temperature)(Cosine()(x, y), draw.energies).mean()
    pos = (-Cosine()(x, y) / temperature).exp()
    neg = (-InBatch(both=True)(Cosine(), x, y).energies / temperature).exp()
    weight = (beta * neg.log()).exp()
    hard = (weight * neg).sum(1) / weight.mean(1)
    theirs = -(pos / (pos + hard)).log().mean()
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(
        torch.autograd.grad(ours, [x, y]), torch.autograd.grad(theirs, [x, y]), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_reweighting_raises_the_share_of_the_hard_ones():
    x, y = randn(6, 3), randn(6, 3, seed=1)
    plain = InBatch()(Cosine(), x, y).energies
    weighted = Reweighted(InBatch(), 1.0, 0.5)(Cosine(), x, y).energies
    weights = ((plain - weighted) / 0.5).exp()
    torch.testing.assert_close(weights.mean(1), torch.ones(6).double())
    assert torch.equal(weights.argmax(1), plain.argmin(1))


@pytest.mark.parametrize("bad", [{"beta": -1.0}, {"temperature": 0.0}, {"temperature": math.nan}])
def test_numbers_out_of_range_raise(bad):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        Reweighted(InBatch(), **bad)
