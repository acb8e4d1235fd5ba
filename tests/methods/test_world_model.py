import torch
from problems import F64, generator, randn
from torch import nn

from ebmlab import methods
from ebmlab.inference import Enumerate
from ebmlab.networks import MLP, Operators
from ebmlab.regularizers import VICReg, Within
from ebmlab.teachers import EMA

THINGS, MOMENTS, DIM = 6, 4, 3


def parts() -> tuple[nn.Module, nn.Module, Enumerate]:
    f = MLP(5, DIM, (8,)).double()
    return f, Operators(DIM, 2).double(), Enumerate(torch.eye(2, dtype=F64))


def test_its_loss_is_the_lowest_prediction_and_the_spread_of_all_and_within_films():
    f, p, infer = parts()
    method = methods.world_model(f, p, infer, energy_weight=2.0, weight=0.3, x_ndim=1)
    frames = randn(THINGS, MOMENTS + 1, 5)
    x, y = frames[:, :-1], frames[:, 1:]
    loss = method(x, y, generator()).value
    hx, hy = (f(rows.reshape(-1, 5)) for rows in (x, y))
    each = [(hx @ p.maps[k].T + p.shifts[k] - hy).square().sum(-1) for k in range(2)]
    lowest = torch.stack(each).amin(0).mean()
    spread = VICReg()(hx, hy)
    things = torch.arange(THINGS).repeat_interleave(MOMENTS)
    both, group = torch.cat([hx, hy]), things.repeat(2)
    means = torch.stack([both[group == i].mean(0) for i in range(THINGS)])[group]
    inner = (8 / 7) ** 0.5 * (both - means)
    exact = 2.0 * lowest + 0.3 * (spread + VICReg().penalty(inner))
    torch.testing.assert_close(loss, exact)
    found = torch.autograd.grad(loss, list(method.parameters()), retain_graph=True)
    expected = torch.autograd.grad(exact, list(method.parameters()))
    torch.testing.assert_close(found, expected)


def test_a_slow_teacher_and_another_regularizer_may_be_asked_for():
    f, p, infer = parts()
    method = methods.world_model(
        f, p, infer, target=EMA(f), temperature=0.5, regularizer=Within(VICReg()), x_ndim=1
    )
    frames = randn(THINGS, MOMENTS + 1, 5)
    loss = method(frames[:, :-1], frames[:, 1:], generator())
    loss.value.backward()
    assert all(p.grad is not None for p in f.parameters())
    assert method.encode(frames[0]).shape == (MOMENTS + 1, DIM)
