"""Energies between codes, and energies that are networks."""

import pytest
import torch
from energies_support import WIDE
from problems import COVARIANCE_2, f64, generator, log_integral, randn
from torch import Tensor
from torch.nn import functional

from ebmlab.energies import (
    MLP,
    Constant,
    ConvNet,
    Cosine,
    CrossEntropy,
    Gaussian,
    SquaredDistance,
    unit,
)


def _value_and_grads(function, *inputs: Tensor) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    value = function(*leaves)
    return [value, *torch.autograd.grad((value * (1 + torch.arange(len(value)))).sum(), leaves)]


def test_cosine_equals_torch():
    x, y = randn(6, 4, seed=1), 100 * randn(6, 4, seed=2)
    ours = _value_and_grads(Cosine(), x, y)
    theirs = _value_and_grads(lambda a, b: -functional.cosine_similarity(a, b, dim=-1), x, y)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-15, 1e-10, 1e15])
def test_a_vector_of_any_length_has_a_finite_cosine_and_gradient(length):
    for x, y in ([length, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, length]):
        value, *grads = _value_and_grads(Cosine(), torch.tensor([x]), torch.tensor([y]))
        assert value.abs() <= 1
        assert all(grad.isfinite().all() for grad in grads)
    assert unit(torch.zeros(3)).tolist() == [0, 0, 0]


def test_the_usual_cosine_explodes_at_zero():
    _, grad = _value_and_grads(lambda h: functional.normalize(h, dim=-1)[:, 0], torch.zeros(1, 3))
    assert grad.abs().max() > 1e11


def test_cross_entropy_equals_torch_on_probabilities():
    logits, target = randn(6, 5, seed=1), randn(6, 5, seed=2).softmax(-1)
    ours = _value_and_grads(CrossEntropy(0.3), logits, target)
    theirs = _value_and_grads(
        lambda a, b: functional.cross_entropy(a / 0.3, b, reduction="none"), logits, target
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    labels = torch.tensor([0, 4, 2, 1, 1, 3])
    torch.testing.assert_close(
        CrossEntropy()(logits, functional.one_hot(labels, 5).double()),
        functional.cross_entropy(logits, labels, reduction="none"),
    )


@pytest.mark.parametrize("ndim", [0, 1, 3])
def test_squared_distance_sums_over_the_event(ndim):
    event = (3, 4, 2)[:ndim]
    x, y = randn(5, 1, *event, seed=1), randn(1, 6, *event, seed=2)
    value = SquaredDistance(ndim)(x, y)
    expected = functional.mse_loss(
        x.expand(5, 6, *event), y.expand(5, 6, *event), reduction="none"
    ).reshape(5, 6, -1)
    torch.testing.assert_close(value, expected.sum(-1))
    _, grad_x, grad_y = _value_and_grads(SquaredDistance(ndim), x[:, 0], x[:, 0] + 0.5)
    weights = (1.0 + torch.arange(5)).reshape(5, *[1] * ndim).expand(5, *event).double()
    torch.testing.assert_close(grad_y, weights)
    torch.testing.assert_close(grad_x, -weights)


def test_network_energies_are_their_networks():
    x, y = torch.randn(4, 3, generator=generator()), torch.randn(4, 2, generator=generator(1))
    energy = MLP(2, x_dim=3, hidden=(7, 5))
    w = list(energy.network.parameters())
    h = functional.silu(torch.cat([x, y], 1) @ w[0].T + w[1])
    expected = (functional.silu(h @ w[2].T + w[3]) @ w[4].T + w[5])[:, 0]
    torch.testing.assert_close(energy(x, y), expected)
    images = torch.randn(2, 3, 1, 9, 14, generator=generator())
    energy = ConvNet(1, width=4, stages=2)
    each = torch.stack([energy.network(image[None])[0, 0] for image in images.flatten(0, 1)])
    torch.testing.assert_close(energy(None, images), each.reshape(2, 3), rtol=1e-4, atol=1e-5)


def test_a_constant_learns_log_z():
    # log Z of a density is where the mean of exp(-(E + c)) over volume is 1: c = log Z.
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    normalized = density + Constant(float(density.log_z)).double()
    assert log_integral(lambda y: normalized(None, y), WIDE, WIDE) == pytest.approx(0, abs=1e-6)
    normalized(None, randn(5, 2)).sum().backward()
    (constant,) = normalized.parameters()
    assert constant.grad == 5
    assert Constant(2.0, y_ndim=3)(None, torch.zeros(2, 3, 1, 4, 4)).shape == (2, 3)
