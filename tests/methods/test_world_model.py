import pytest
import torch
from problems import generator, randn
from torch import nn

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.networks import MLP, Operators
from ebmlab.regularizers import VICReg, Within
from ebmlab.teachers import EMA

THINGS, MOMENTS, DIM = 6, 4, 3


def parts() -> tuple[nn.Module, Operators]:
    f = MLP(5, DIM, (8,)).double()
    return f, Operators(DIM, 2).double()


def test_its_loss_is_the_free_energy_and_the_spread_of_all_moments():
    f, p = parts()
    method = methods.world_model(
        f, DIM, 2, predictor=p, temperature=0.7, energy_weight=2.0, weight=0.3, x_ndim=1
    ).double()
    frames = randn(THINGS, MOMENTS + 1, 5)
    x, y = frames[:, :-1], frames[:, 1:]
    loss = method(x, y, generator()).value
    hx, hy = (f(rows.reshape(-1, 5)) for rows in (x, y))
    each = [(hx @ p.maps[k].T + p.shifts[k] - hy).square().sum(-1) for k in range(2)]
    free = -0.7 * (-torch.stack(each) / 0.7).exp().mean(0).log().mean()
    spread = VICReg()(hx, hy)
    exact = 2.0 * free + 0.3 * spread
    torch.testing.assert_close(loss, exact)
    found = torch.autograd.grad(loss, list(method.parameters()), retain_graph=True)
    expected = torch.autograd.grad(exact, list(method.parameters()))
    torch.testing.assert_close(found, expected)


def test_a_slow_teacher_and_another_regularizer_may_be_asked_for_but_not_no_z():
    f, p = parts()
    method = methods.world_model(
        f, DIM, 2, predictor=p, target=EMA(f), regularizer=Within(VICReg()), x_ndim=1
    ).double()
    frames = randn(THINGS, MOMENTS + 1, 5)
    method(frames[:, :-1], frames[:, 1:], generator()).value.backward()
    assert all(each.grad is not None for each in f.parameters())
    assert method.encode(frames[0]).shape == (MOMENTS + 1, DIM)
    with pytest.raises(ConfigurationError, match="codes is 0"):
        methods.world_model(f, DIM, 0)
