import torch
from problems import f64, generator, randn

from ebmlab import FunctionEnergy, fit, methods
from ebmlab.energies import MLP, GaussianMixture
from ebmlab.metrics import LongRun
from ebmlab.samplers import MALA
from ebmlab.training import Recording


def gap(energy, y):
    method = methods.contrastive_divergence(energy)
    return LongRun(MALA(0.3), 60)(method, (None, y), method(None, y, generator()))


def test_long_chains_stay_at_the_energies_of_data_that_are_the_models_own():
    right = GaussianMixture(f64([[0.0, 0.0]]), 1.0)
    found = gap(right, randn(4000, 2))
    # E has standard deviation 1: both means are within 5 of their errors, a false alarm in 1e-6.
    assert abs(float(found["long_gap"])) < 5 * (2 / 4000) ** 0.5
    assert found["long_gap"] == found["e_long"] - found["e_data"]


def test_long_chains_fall_into_depths_that_hold_no_data():
    deep = FunctionEnergy(
        lambda y: 0.5 * y.square().sum(-1) - 9 * (-(y - 2).square().sum(-1)).exp()
    )
    assert float(gap(deep, 0.3 * randn(500, 2))["long_gap"]) < -2


def test_it_moves_nothing_and_is_recorded():
    torch.manual_seed(1)
    data = (None, randn(32, 2).float())
    ends = []
    for watch in (None, LongRun(MALA(0.03), 5)):
        torch.manual_seed(0)
        method = methods.contrastive_divergence(MLP(2, hidden=(4,)), steps=1)
        run = fit(method, data, steps=3, batch_size=32, record=Recording(watch=watch, every=1))
        ends.append(method.energy.network[0].weight.detach())
    assert torch.equal(*ends)
    assert run.history.keys() >= {"e_data", "e_long", "long_gap", "long_acceptance"}
