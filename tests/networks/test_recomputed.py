"""Blocks that are run again leave gradients, statistics and random numbers as they were."""

import copy

import pytest
import torch
from problems import generator
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.networks import RegNetY, ResNet, Transformer, ViT, recomputed


class Part(nn.Module):
    """A user's block, which draws from torch's generator."""

    def __init__(self, width=6):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, width), nn.BatchNorm1d(width), nn.Dropout(0.5))
        self.outer = nn.Linear(width, 6)

    def forward(self, h):
        return h + self.outer(self.inner(h).tanh())


class Residual(nn.Module):
    """A block that draws nothing."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh())

    def forward(self, h):
        return h + self.inner(h).tanh()


class Noisy(nn.Module):
    """A block that draws from the generator that it is handed."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, h, *, rng):
        return self.layer(h) * torch.randn(h.shape, dtype=h.dtype, generator=rng)


def images(size=16, n=4):
    return torch.randn(n, 3, size, size, generator=generator(), dtype=torch.float64)


def rows():
    return torch.randn(8, 6, generator=generator(), dtype=torch.float64)


NETWORKS = {
    "ResNet": (lambda: ResNet(18, small=True, width=4), [images(), images(9)], 8),
    "RegNetY": (lambda: RegNetY(5, 8, 12.0, 2.0, 8), [images(32), images(24)], 5),
    "ViT": (lambda: ViT(16, 8, dim=12, depth=2, heads=3), [images(), images(8)], 2),
    "Transformer": (
        lambda: Transformer(5, 4, dim=8, depth=2, heads=2),
        [torch.zeros(3, 4, dtype=torch.long)],
        2,
    ),
    "a user's": (lambda: nn.Sequential(Part(), nn.ReLU(), Part()), [rows(), rows()[:5]], 2),
}


def twins(make):
    torch.manual_seed(0)
    plain = make().double()
    return plain, recomputed(copy.deepcopy(plain))


def trained(network, inputs):
    """Outputs and gradients of a loss of all inputs, and the state afterwards."""
    torch.manual_seed(1)
    out = [network(each) for each in inputs]
    sum(each.tanh().square().sum() for each in out).backward()
    torch.rand(1)
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    return out, grads, network.state_dict(), torch.get_rng_state()


@pytest.mark.parametrize("name", NETWORKS)
def test_all_is_as_without_it(name):
    make, inputs, blocks = NETWORKS[name]
    plain, again = twins(make)
    assert sum(type(m).__name__.startswith("Recomputed") for m in again.modules()) == blocks
    assert list(again.state_dict()) == list(plain.state_dict())
    due, got = trained(plain, inputs), trained(again, inputs)
    torch.testing.assert_close(got, due, rtol=0, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(inputs[0]), plain.eval()(inputs[0]))


def naive(block):
    return lambda *inputs, **named: checkpoint(block, *inputs, use_reentrant=False, **named)


def whole(block):
    return recomputed(block, [block])


@pytest.mark.parametrize(("way", "updates"), [(whole, 2), (naive, 4)])
def test_statistics_move_once(way, updates):
    block = Part().double()
    call = way(block)
    for _ in range(2):
        call(rows()).sum().backward()
    assert int(block.inner[1].num_batches_tracked) == updates


@pytest.mark.parametrize(("way", "same"), [(whole, True), (naive, False)])
def test_a_block_draws_again_what_it_drew_from_a_generator(way, same):
    grads = []
    for kind in (None, way):
        torch.manual_seed(0)
        block = Noisy()
        rng = generator(3)
        call = block if kind is None else kind(block)
        call(torch.ones(4, 3, requires_grad=True), rng=rng).square().sum().backward()
        grads.append((block.layer.bias.grad, torch.rand(1, generator=rng)))
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True)) is same


@pytest.mark.parametrize("name", ["ResNet", "a user's"])
def test_gradients_of_gradients_pass(name):
    make, (t, *_), _ = NETWORKS[name]
    found = []
    for network in twins(make):
        torch.manual_seed(1)
        free = t.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(free).tanh().sum(), free, create_graph=True)
        slope.square().sum().backward()
        found.append([free.grad, *(p.grad for p in network.parameters())])
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.slow
def test_the_compiler_takes_blocks_that_are_run_again():
    plain, again = twins(lambda: nn.Sequential(Residual(), Residual()))
    compiled = torch.compile(again, backend="aot_eager")
    found = [trained(network, [rows()])[:2] for network in (plain, compiled)]
    torch.testing.assert_close(*found)
    assert int(again[0].inner[1].num_batches_tracked) == 1


def kept(network, t):
    """Bytes that autograd keeps for the backward pass beside parameters, each memory once."""
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    held = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        out = network(t)
    assert out.requires_grad
    return sum(held.values())


def test_less_is_kept():
    plain, again = twins(lambda: RegNetY(16, 48, 27.89, 2.09, 8))
    assert kept(plain, images(64)) > 5 * kept(again, images(64))


def test_a_method_is_recomputed_in_place_and_copies_stay_apart():
    torch.manual_seed(0)
    encoder = ResNet(18, small=True, width=4)
    method = methods.swav(encoder, 32, prototypes=8, projection=4, hidden=8, x_ndim=3).double()
    twin = copy.deepcopy(method)
    assert recomputed(recomputed(method)) is method
    assert str(method).count("RecomputedBlock") == str(twin).count("_Block") > 0
    views = images(), images(12)
    found = []
    for each in (copy.deepcopy(method), method, twin):
        each(views, views, generator()).value.backward()
        found.append(([p.grad for p in each.parameters()], dict(each.state_dict())))
    (_, moved), count = found[0], "encoder.stages.0.0.branch.1.num_batches_tracked"
    assert moved[count] == 2
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)


def test_what_has_no_blocks_is_refused():
    with pytest.raises(ConfigurationError, match="no blocks"):
        recomputed(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    with pytest.raises(ConfigurationError, match="not a part of"):
        recomputed(nn.Sequential(Part()), [Part()])
    with pytest.raises(ConfigurationError, match="expected Module"):
        recomputed(nn.Sequential(Part()), [torch.relu])
