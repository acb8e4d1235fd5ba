"""Slopes exactly where a formula has a kink: stated, and the same in every release of torch."""

import pytest
import torch
from problems import F64, f64

from ebmlab import losses
from ebmlab._limits import bounded
from ebmlab.energies import Cosine, unit
from ebmlab.inference import Simplex
from ebmlab.networks import LISTA
from ebmlab.regularizers import VICReg

# A loss, E+ and E- on its kink, its value there, and its slopes in both.
KINKS = {
    "Hinge at its margin": (losses.Hinge(1.0), 0.0, 1.0, 0.0, (1.0, -1.0)),
    "perceptron at collapse": (losses.perceptron, 2.0, 2.0, 0.0, (1.0, -1.0)),
    "LVQ2 at collapse": (losses.LVQ2(0.5), 2.0, 2.0, 0.0, (1.0, -1.0)),
    "LVQ2 at its ceiling": (losses.LVQ2(0.5), 2.5, 2.0, 0.5, (1.0, -1.0)),
    "SquareSquare at its margin": (losses.SquareSquare(1.0), 0.5, 1.0, 0.25, (1.0, 0.0)),
}


@pytest.mark.parametrize("name", KINKS)
def test_losses_push_on_at_their_kink(name):
    loss, pos, neg, due, slopes = KINKS[name]
    e_pos, e_neg = f64([pos]).requires_grad_(), f64([[neg]]).requires_grad_()
    value = loss(e_pos, e_neg)
    found = torch.autograd.grad(value.sum(), (e_pos, e_neg))
    assert float(value.detach()) == due
    assert tuple(slope.item() for slope in found) == slopes


def test_bounds_keep_the_slope_at_their_ends_and_nan():
    t = f64([-1.0, 0.0, 1.0, 2.0, 3.0, torch.nan]).requires_grad_()
    value = bounded(t, low=0.0, high=2.0)
    torch.testing.assert_close(value, f64([0.0, 0.0, 1.0, 2.0, 2.0, torch.nan]), equal_nan=True)
    (slope,) = torch.autograd.grad(value.sum(), t)
    assert slope.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]


def test_the_variance_asked_for_is_pushed_at_as_below_it():
    # Var h = 1 and ε = 3 make the deviation γ = 2 to the last bit.
    h = (0.5**0.5 * f64([[1.0], [-1.0]])).requires_grad_()
    regularizer = VICReg(std=1.0, cov=0.0, gamma=2.0, eps=3.0)
    value = regularizer(h, h)
    (slope,) = torch.autograd.grad(value, h)
    assert float(value.detach()) == 0
    torch.testing.assert_close(slope, -h.detach() / 2)


@pytest.mark.parametrize("dim", [1, 3])
def test_unit_vectors_along_an_axis_have_no_slope_along_it(dim):
    h = torch.zeros(1, dim, dtype=F64)
    h[0, 0] = 2.0
    jacobian = torch.autograd.functional.jacobian(unit, h).reshape(dim, dim)
    due = 0.5 * torch.eye(dim, dtype=F64)
    due[0, 0] = 0.0
    torch.testing.assert_close(jacobian, due)
    pairs = torch.autograd.functional.jacobian(lambda a: Cosine()(a, a), h)
    assert (pairs == 0).all()
    h.zero_()
    assert unit(h).eq(0).all()
    assert torch.autograd.functional.jacobian(unit, h).isfinite().all()


def test_what_is_exactly_at_the_threshold_is_out_of_the_support_with_slope_zero():
    z = f64([[1.0, 0.0, -2.0]])
    jacobian = torch.autograd.functional.jacobian(Simplex(3).project, z).reshape(3, 3)
    assert (jacobian == 0).all()
    net = LISTA(torch.eye(2, dtype=F64), weight=2.0, steps=1).double()
    at = net.threshold.detach()[0] / net.encode.detach()[0].diagonal()
    slope = torch.autograd.functional.jacobian(net, at[None]).reshape(2, 2)
    assert net(at[None]).eq(0).all()
    assert (slope == 0).all()
    beyond = torch.autograd.functional.jacobian(net, 1.01 * at[None]).reshape(2, 2)
    torch.testing.assert_close(beyond, net.encode.detach()[0])


def test_clamp_would_answer_one_way_in_some_releases_and_another_in_others():
    t = torch.zeros((), dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad(t.clamp(min=0), t)
    assert float(slope) == float(torch.__version__ < "2.14")
