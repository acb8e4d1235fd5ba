"""MALA with shortened gradients: chains on steep ground arrive, and the law stays exact."""

import pytest
import torch
from problems import generator, has_variance

from ebmlab.errors import ConfigurationError
from ebmlab.samplers import MALA, run


def steep(y):
    return 50.0 * y.square().sum(-1)


@pytest.mark.filterwarnings("ignore:500 of 500 chains")
def test_chains_that_start_on_steep_ground_arrive():
    start = torch.full((1500, 2), 3.0).double()
    plain, clamped = (
        run(MALA(0.03, clamp=clamp), steep, start, steps=120, rng=generator()).state.y
        for clamp in (None, 6.0)
    )
    assert float(plain.norm(dim=1).median()) > 4
    # Independent chains of N(0, 1/100): false alarms 1e-6.
    assert has_variance(clamped[:, 0], 0.01)
    assert not has_variance(clamped[:, 0], 0.014)


def test_a_bound_that_no_gradient_reaches_changes_nothing():
    start = torch.ones(5, 2).double()
    ends = [
        run(MALA(0.01, clamp=clamp), steep, start, steps=3, rng=generator()).state.y
        for clamp in (None, 1e6)
    ]
    assert torch.equal(*ends)


@pytest.mark.parametrize("clamp", [0.0, -1.0])
def test_the_bound_must_be_positive(clamp):
    with pytest.raises(ConfigurationError, match="clamp"):
        MALA(0.1, clamp=clamp)
