"""Stein's identity E[f ∂u] = E[∂f] on the reference draws: it holds for their own density only."""

import pytest
import torch
from posteriors_support import LOGARITHMS, NAMES, real
from torch import Tensor

from ebmlab.metrics.chains import mcse

# 213 statistics, each within 5 standard errors: other reference draws of the same posteriors would
# alarm falsely with probability 213 · 5.7e-7 = 1.2e-4.
LIMIT = 5.0


def departures(grad: Tensor, y: Tensor) -> Tensor:
    """By how many standard errors f = 1, y and tanh(standardized y) miss the identity."""
    away = y - y.mean((0, 1))
    spread = away.std((0, 1))
    bent = (away / spread).tanh()
    eye = torch.eye(y.shape[-1], dtype=y.dtype)
    misses = torch.cat(
        [
            grad,
            (grad[..., :, None] * away[..., None, :] - eye).flatten(-2),
            grad * bent - (1 - bent.square()) / spread,
        ],
        dim=-1,
    )
    return misses.mean((0, 1)) / mcse(misses)


@pytest.mark.parametrize("name", NAMES)
def test_reference_draws_fit_the_energy_and_none_without_its_jacobian(name):
    energy, y, _ = real(name)
    grad = energy.value_and_grad(None, y)[1]
    assert departures(grad, y).abs().max() < LIMIT
    for log in LOGARITHMS[name]:
        # The log-Jacobian of exp is the coordinate itself; the energy without it is E + y.
        without = grad.clone()
        without[..., log] += 1
        assert departures(without, y).abs().max() > LIMIT
