"""`BatchNorm` alone is torch's; `synchronized` puts it in place of torch's."""

import pytest
import torch
from problems import randn
from torch import nn

from ebmlab._batch_norms import batch_norms
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import BatchNorm, synchronized

SHAPES = {(7, 3): nn.BatchNorm1d, (5, 3, 4, 2): nn.BatchNorm2d, (2, 3, 2, 2, 2): nn.BatchNorm3d}
OPTIONS = [{}, {"momentum": None}, {"momentum": 0.0}, {"affine": False}, {"eps": 0.1}]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", OPTIONS)
def test_alone_it_is_torch_s(shape, options):
    ours, theirs = BatchNorm(3, **options).double(), SHAPES[shape](3, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for seed in (0, 1):
        values = []
        for norm in (ours, theirs):
            y = (randn(*shape, seed=seed) * 3 + 5).requires_grad_()
            out = norm(y)
            (slope,) = torch.autograd.grad(out.sin().sum(), y, create_graph=True)
            values += [out, slope, *torch.autograd.grad(slope.square().sum(), y)]
        for got, due in zip(values[:3], values[3:], strict=True):
            assert torch.equal(got, due)
    for got, due in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(got, due)
    assert torch.equal(ours.eval()(y), theirs.eval()(y))


def test_a_momentum_of_zero_does_not_move_even_for_infinite_data():
    norm = BatchNorm(2, momentum=0.0)
    norm(torch.full((3, 2), torch.inf))
    assert torch.equal(norm.running_mean, torch.zeros(2))
    assert torch.equal(norm.running_var, torch.ones(2))
    assert int(norm.num_batches_tracked) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_moments_of_half_precision_are_single(dtype):
    norm, due = BatchNorm(2).to(dtype), nn.BatchNorm1d(2)
    assert norm.running_mean.dtype == torch.float32
    assert norm.weight.dtype == dtype
    y = (100 + randn(64, 2).float()).to(dtype)
    out = norm(y)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), due(y.float()), rtol=0.01, atol=0.01)
    torch.testing.assert_close(norm.running_mean, due.running_mean)
    torch.testing.assert_close(norm.running_var, due.running_var)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (1, 3), (1, 3, 1, 1)])
def test_what_it_cannot_take_is_named(shape):
    with pytest.raises(ShapeError, match=r"BatchNorm got \("):
        BatchNorm(3)(torch.zeros(shape))


def test_synchronized_keeps_parameters_buffers_and_modes():
    shared = nn.BatchNorm1d(3, momentum=0.3)
    network = nn.Sequential(
        nn.Linear(2, 3),
        shared,
        nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)),
        shared,
    ).double()
    y, parameters = randn(6, 2), list(network.parameters())
    due, network[2][0].training = network(y), False
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert synchronized(network) is network
    assert network[1] is network[3]
    assert [type(network[1]), type(network[2][0])] == [BatchNorm] * 2
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert batch_norms(network) == ["1"]
    assert network[1].momentum == 0.3
    torch.testing.assert_close(network(y), due)
    one = synchronized(nn.SyncBatchNorm(3).eval())
    assert isinstance(one, BatchNorm)
    assert not one.training
    assert synchronized(one) is one


class WithActivation(nn.BatchNorm2d):
    def forward(self, y):
        return super().forward(y).relu()


def test_a_normalization_that_does_more_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="0 is WithActivation, which may do more"):
        synchronized(nn.Sequential(WithActivation(3)))
