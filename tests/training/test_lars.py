"""LARS against the same arithmetic by numpy, its groups, and its checkpoints."""

import math

import numpy as np
import pytest
import torch
from problems import generator
from torch import nn

from ebmlab.errors import ConfigurationError
from ebmlab.training import LARS, load, save

SETTINGS = {
    "plain": {},
    "decay": {"weight_decay": 0.3, "trust": 0.02},
    "clip": {"clip": True, "trust": 0.5, "weight_decay": 0.1},
    "clip that does not bind": {"clip": True, "trust": 0.01},
    "no momentum": {"momentum": 0.0, "eps": 0.1},
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def descend(layers, optimizer, steps, rng):
    for _ in range(steps):
        optimizer.zero_grad()
        t = torch.randn(8, 3, dtype=torch.float64, generator=rng)
        layers(t).square().sum().backward()
        optimizer.step()


def by_numpy(
    w, grads, *, lr, adapt, momentum=0.9, weight_decay=1e-6, trust=1e-3, clip=False, eps=1e-8
):
    w, v = np.array(w), 0.0
    decay = weight_decay if adapt else 0.0
    for g in grads:
        length, slope = math.sqrt((w**2).sum()), math.sqrt((g**2).sum())
        ratio = trust * length / (slope + decay * length + eps) if adapt else 1.0
        if clip and adapt:
            ratio = min(ratio / lr, 1.0)
        if adapt and length == 0:
            ratio = 1.0
        if adapt and slope == 0:
            ratio = 0.0
        v = momentum * v + ratio * (g + decay * w)
        w = w - lr * v
    return w


def drawn(shape, steps=4):
    rng = np.random.default_rng(3)
    return rng.normal(size=shape), rng.normal(size=(steps, *shape)) * np.array([1, 9, 0.1, 0])[
        :, None
    ].reshape(steps, *[1] * len(shape))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("shape", [(5, 3), (4,)])
def test_steps_are_those_of_the_formula(name, shape):
    w, grads = drawn(shape)
    p = nn.Parameter(torch.tensor(w))
    optimizer = LARS([p], lr=0.2, **SETTINGS[name])
    for grad in grads:
        p.grad = torch.tensor(grad)
        optimizer.step()
    adapt = len(shape) > 1
    due = by_numpy(w, grads, lr=0.2, adapt=adapt, **SETTINGS[name])
    np.testing.assert_allclose(p.detach().numpy(), due, rtol=1e-14, atol=1e-14)
    other = by_numpy(w, grads, lr=0.2, adapt=not adapt, **SETTINGS[name])
    assert np.abs(other - due).max() > 1e-3


def test_a_weight_of_zero_moves_and_one_without_slope_rests():
    zero, rest = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = LARS([zero, rest], lr=0.5, weight_decay=0.1)
    zero.grad, rest.grad = torch.ones(2, 2), torch.zeros(2, 2)
    optimizer.step()
    assert torch.equal(zero.detach(), torch.full((2, 2), -0.5))
    assert torch.equal(rest.detach(), torch.ones(2, 2))


def test_groups_have_numbers_of_their_own():
    layers = network()
    groups = [
        {"params": list(layers[0].parameters()), "lr": 0.1},
        {"params": list(layers[2].parameters()), "adapt": False},
    ]
    optimizer = LARS(groups, lr=0.3)
    assert [(g["lr"], g["adapt"]) for g in optimizer.param_groups] == [(0.1, True), (0.3, False)]
    before = [p.detach().clone() for p in layers.parameters()]
    descend(layers, optimizer, 1, generator())
    grads = [p.grad for p in layers.parameters()]
    moved = [p.detach() - b for p, b in zip(layers.parameters(), before, strict=True)]
    torch.testing.assert_close(moved[5], -0.3 * (grads[5] + 1e-6 * before[5]))
    assert moved[0].norm() < 2e-4 * before[0].norm()
    assert not moved[2].any()


def test_a_run_goes_on_from_a_checkpoint_to_the_last_bit(tmp_path):
    whole, rng = network(), generator()
    optimizer = LARS(whole.parameters(), lr=0.5, clip=True)
    descend(whole, optimizer, 3, rng)
    save(tmp_path / "run.safetensors", whole, optimizer, rngs={"data": rng})
    descend(whole, optimizer, 3, rng)
    again, rng = network(), generator(9)
    optimizer = LARS(again.parameters(), lr=0.1)
    load(tmp_path / "run.safetensors", again, optimizer, rngs={"data": rng})
    assert optimizer.param_groups[0]["clip"]
    descend(again, optimizer, 3, rng)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_lengths_of_half_precision_do_not_overflow():
    p = nn.Parameter(torch.full((300, 300), 200.0, dtype=torch.float16))
    p.grad = torch.full_like(p, 200.0)
    LARS([p], lr=1.0, trust=0.5, momentum=0.0).step()
    torch.testing.assert_close(p.detach(), torch.full_like(p, 100.0))


@pytest.mark.parametrize(
    "wrong", [{"lr": 0.0}, {"momentum": 1.5}, {"weight_decay": -1.0}, {"trust": math.nan}]
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        LARS(network().parameters(), **({"lr": 0.1} | wrong))


def test_parameters_and_groups_are_not_mixed():
    p = nn.Parameter(torch.zeros(2))
    with pytest.raises(ConfigurationError, match="1 groups and 1 parameters"):
        LARS([p, {"params": [p]}], lr=0.1)
