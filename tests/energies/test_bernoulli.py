"""Independent binary units against sums over their states."""

import pytest
import torch
from discrete_support import BINARY, Listed, binary_states
from problems import f64, generator, randn

from ebmlab.energies import Bernoulli
from ebmlab.errors import ShapeError

LOGITS = f64([-2.0, 0.5, 0.0, 1.0, 3.0])


def test_energies_and_log_z_are_those_of_the_states():
    units, states = Bernoulli(LOGITS), binary_states(5)
    torch.testing.assert_close(units(None, states), -(states @ LOGITS))
    torch.testing.assert_close(units.log_prob(states).exp().sum(), f64(1.0))
    torch.testing.assert_close(Bernoulli(30 * randn(9)).log_z, (30 * randn(9)).exp().log1p().sum())


def test_slopes_by_hand_are_those_of_autograd():
    y = randn(4, 5).requires_grad_()
    units = Bernoulli(LOGITS)
    energy, grad = units.given().value_and_grad(y)
    (due,) = torch.autograd.grad(units(None, y).sum(), y)
    torch.testing.assert_close(grad, due)
    torch.testing.assert_close(energy, units(None, y).detach())


def test_draws_have_the_law_of_the_states():
    model = Listed(Bernoulli(LOGITS), binary_states(5), BINARY, ())
    draws = Bernoulli(LOGITS).sample(20_000, generator(1))
    assert model.accepts(draws)
    assert not Listed(Bernoulli(0.8 * LOGITS), binary_states(5), BINARY, ()).accepts(draws)


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        Bernoulli(torch.zeros(2, 3))
