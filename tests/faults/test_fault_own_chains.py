"""Objectives whose negatives are the model's own chains: their chains are watched alike."""

import math
import warnings

import pytest
import torch
from problems import generator, randn
from torch import nn

from ebmlab import FunctionEnergy, fit, methods
from ebmlab.errors import NonFiniteError
from ebmlab.samplers import MALA, Langevin

Y = randn(32, 2)
POOL = randn(64, 2, seed=5)

# Recipes: name -> the method of an energy, whose chains a sampler moves.
OWN = {
    "cd": lambda e, s: methods.contrastive_divergence(e, s, 3),
    "pcd": lambda e, s: methods.persistent_cd(e, POOL, s, 3),
    "improved": lambda e, s: methods.improved_cd(e, POOL, s, 3),
    "recovery": lambda e, s: methods.recovery_likelihood(e, 0.5, s, 3),
}
WATCHED = {"e_pos", "e_neg", "gap", "acceptance", "moved", "strayed", "still", "coalesced"}
each = pytest.mark.parametrize("build", OWN.values(), ids=OWN)


class Tilted(nn.Module):
    """θ (a sum) + ½ c ‖y‖², with a batch norm if asked for."""

    def __init__(self, curvature=1.0, tilt=0.5, factor=1.0, norm=False) -> None:
        super().__init__()
        self.tilt = nn.Parameter(torch.tensor(tilt).double())
        self.curvature, self.factor = curvature, factor
        self.norm = nn.BatchNorm1d(2).double() if norm else nn.Identity()

    def forward(self, y):
        bowl = 0.5 * self.curvature * y.square().sum(-1)
        return self.factor * (self.tilt * self.norm(y).sum(-1) + bowl)


def energy(**options):
    return FunctionEnergy(Tilted(**options))


@each
def test_a_healthy_step_reports_chains_warns_of_nothing_and_leaves_no_gradient(build):
    method = build(energy(), MALA(0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = method(None, Y, generator())
    assert loss.metrics.keys() >= WATCHED
    assert not any(value.requires_grad for value in loss.metrics.values())
    torch.testing.assert_close(loss.metrics["gap"], loss.metrics["e_neg"] - loss.metrics["e_pos"])
    assert all(p.grad is None for p in method.parameters())  # fault 27


@each
@pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf])
def test_faults_12_to_14_energies_that_are_no_numbers_are_refused(build, factor):
    with pytest.raises(NonFiniteError):
        build(energy(factor=factor), MALA(0.1))(None, Y, generator())


@each
def test_fault_15_a_step_with_infinite_gradients_is_not_taken(build):
    method = build(energy(), MALA(0.1))
    (tilt,) = method.parameters()
    tilt.register_hook(lambda grad: grad * math.inf)
    before = tilt.detach().clone()
    pool = [b.clone() for b in method.buffers()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = fit(method, (None, Y), steps=1, batch_size=32, progress=False, rng=generator())
    assert run.skipped == 1
    assert torch.equal(tilt, before)
    assert all(torch.equal(a, b) for a, b in zip(pool, method.buffers(), strict=True))


@each
def test_faults_22_23_and_26_strayed_still_and_normalized_chains_are_told(build):
    with pytest.warns(UserWarning, match="more than ten times as far"):
        build(energy(curvature=0.0, tilt=200.0), Langevin(1.0))(None, Y, generator())
    with pytest.warns(UserWarning, match="did not move at all"):
        build(energy(), MALA(1e6))(None, Y, generator())
    with pytest.warns(UserWarning, match="normalizes over the batch"):
        build(energy(norm=True), MALA(0.1))(None, Y, generator())


@each
@pytest.mark.filterwarnings("ignore:of 32 chains")
def test_fault_28_with_the_sign_of_the_energy_turned_round_the_data_rise(build):
    def tilted(sign: float) -> float:
        function = Tilted()
        method = build(FunctionEnergy(function), MALA(0.1))
        data, rng = Y - Y.mean(0) + 1, generator()
        for _ in range(20):
            loss = method(None, data, rng)
            (grad,) = torch.autograd.grad(sign * loss.value, [function.tilt])
            function.tilt.data.sub_(0.3 * grad)
            loss.commit()
        return float(function.tilt.detach())

    # The data's mean is 1 in each coordinate, that of the model -θ.
    assert abs(tilted(1.0) + 1) < 0.5
    assert tilted(-1.0) > 1
