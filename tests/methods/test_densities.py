"""Recipes of densities as the command line offers them for points."""

import pytest
import torch
from problems import generator

from ebmlab.algebra import Sum
from ebmlab.data import toys
from ebmlab.runs.density_preset import Points
from ebmlab.runs.noise_presets import NOISE_PRESETS


@pytest.mark.parametrize("preset", NOISE_PRESETS, ids=lambda p: p.recipe.__name__)
def test_a_row_of_the_table_trains_and_has_a_density(preset):
    torch.manual_seed(0)
    points = toys.two_moons(600, generator())
    method = preset.build(Points(points, 8, 10, generator()))
    learned = [p for p in method.parameters() if p.requires_grad]
    loss = method(None, points[:8], generator())
    grads = torch.autograd.grad(loss.value, learned)
    assert loss.value.isfinite()
    assert all(bool(grad.isfinite().all()) for grad in grads)
    u = preset.density(method.energy)
    assert u(points[:5]).shape == (5,)
    if preset.recipe.__name__ == "noise_contrastive":
        # What is trained is the network less the noise's energy; the density is the network's.
        assert isinstance(method.energy, Sum)
        network, noise = method.energy.each
        torch.testing.assert_close(u(points[:5]), network(None, points[:5]))
        draws = method.energy(None, points[:5]) - network(None, points[:5])
        torch.testing.assert_close(draws, noise(None, points[:5]), rtol=1e-4, atol=1e-5)
