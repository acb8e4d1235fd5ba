"""Batch normalization of unequal shares is that of one process: values, two derivatives, state."""

import pytest
import torch
from problems import randn
from ranks_support import RANKS, on_two_ranks
from torch import nn

from ebmlab.networks import BatchNorm, synchronized

SHAPES = ((7, 3), (7, 3, 2, 2))
SHARES = [1, 6]


def built(shape, norm=BatchNorm):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 1) if len(shape) > 2 else nn.Linear(3, 4), norm(4))
    return layers.double()


def trained(network, y):
    """Values, slopes, and the parameters' gradients of squared slopes; twice, for the state."""
    for _ in range(2):
        y = y.detach().requires_grad_()
        out = network(y)
        (slope,) = torch.autograd.grad(out.sin().sum(), y, create_graph=True)
        parameters = list(network.parameters())
        grads = torch.autograd.grad(slope.square().sum(), [*parameters, y])
    first = torch.autograd.grad(network(y).sin().sum(), parameters)
    return out.detach(), slope.detach(), grads[-1], first, grads[:-1], list(network.buffers())


def on_rank(rank):
    own = [(9 + randn(*shape)).split(SHARES)[rank] for shape in SHAPES]
    found = [trained(built(shape), y) for shape, y in zip(SHAPES, own, strict=True)]
    half = built(SHAPES[0]).bfloat16()
    rough = half(own[0].bfloat16()), list(half.buffers())
    still = built(SHAPES[1])
    still[1].momentum = 0.0
    still(own[1])
    return found, rough, list(still[1].buffers()), built(SHAPES[0]).eval()(own[0])


@pytest.fixture(scope="module")
def both():
    return on_two_ranks(on_rank)


@pytest.mark.parametrize("i", range(2))
def test_unequal_shares_are_one_batch(both, i):
    torch_s = nn.BatchNorm1d if i == 0 else nn.BatchNorm2d
    whole = trained(built(SHAPES[i], torch_s), 9 + randn(*SHAPES[i]))
    parts = [part[0][i] for part in both]
    near = {"rtol": 1e-12, "atol": 1e-12}
    for k in range(3):
        torch.testing.assert_close(torch.cat([p[k] for p in parts]), whole[k], **near)
    for k in (3, 4):
        for *each, due in zip(*(p[k] for p in parts), whole[k], strict=True):
            torch.testing.assert_close(torch.stack(each).sum(0), due, **near)
    for p in parts:
        for got, due in zip(p[5], whole[5], strict=True):
            torch.testing.assert_close(got, due, **near)
    assert all(torch.equal(a, b) for a, b in zip(parts[0][5], parts[1][5], strict=True))


def test_moments_of_half_precision_are_single_and_momentum_zero_does_not_move(both):
    due = built(SHAPES[0]).bfloat16()
    out = due((9 + randn(*SHAPES[0])).bfloat16())
    got = torch.cat([part[1][0] for part in both])
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, out, rtol=0.02, atol=0.02)
    for _, (_, moments), (mean, variance, count), _ in both:
        assert moments[0].dtype == torch.float32
        torch.testing.assert_close(moments[1], due[1].running_var)
        assert [float(mean.sum()), float(variance.sum()), int(count)] == [0.0, 4.0, 1]


def test_evaluation_asks_no_other_rank(both):
    due = built(SHAPES[0]).eval()(9 + randn(*SHAPES[0]))
    torch.testing.assert_close(torch.cat([part[3] for part in both]), due)


def test_without_the_other_ranks_rows_the_values_are_others():
    rows = 9 + randn(*SHAPES[0])
    norm = synchronized(nn.BatchNorm1d(3).double())
    apart = torch.cat([norm(part) for part in rows.split([3, 4])])
    assert (apart - norm(rows)).abs().max() > 0.1
    assert len(rows.split(SHARES)) == RANKS
