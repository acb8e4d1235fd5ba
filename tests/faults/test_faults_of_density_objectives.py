"""Every objective of densities meets the same faults; a new one is a row of a table.

Collapse (21) is of codes; coalesced pools (24) are tested beside the chains.
"""

import contextlib
import math

import pytest
import torch
from faults_support import _noise, _normal, _rng, refused
from torch import nn

from ebmlab import Energy, FunctionEnergy, fit
from ebmlab.energies import MLP
from ebmlab.errors import DtypeError, NonFiniteError, ShapeError
from ebmlab.losses import InfoNCE, difference
from ebmlab.negatives import FromData, Replay
from ebmlab.objectives import Contrastive, DenoisingScore
from ebmlab.protocols import Method
from ebmlab.samplers import MALA, Langevin


def network() -> Energy:
    return MLP(2, hidden=(16,))


# Name -> (objective of a sampler, energy of points of the plane): those with chains ...
CHAINED = {
    "difference, from data": (lambda s: Contrastive(difference, FromData(s, 3)), network),
    "difference, replay": (
        lambda s: Contrastive(difference, Replay(_normal(64, 2, seed=2), s, 3)),
        network,
    ),
}
# ... and name -> (objective, energy): those without.
UNCHAINED = {
    "difference, noise": (lambda: Contrastive(difference, _noise()), network),
    "InfoNCE, noise": (lambda: Contrastive(InfoNCE(), _noise()), network),
    "denoising score": (lambda: DenoisingScore(0.5), network),
}
OBJECTIVES = UNCHAINED | {
    name: (lambda make=make: make(Langevin(0.1)), energy)
    for name, (make, energy) in CHAINED.items()
}
# Fault 26 is of two populations in one network.
ONE_POPULATION = {"denoising score"}

each = pytest.mark.parametrize("name", OBJECTIVES)


def built(name):
    make, energy = OBJECTIVES[name]
    return make(), energy()


class Spoiled(Energy):
    """An energy to which a multiple of 1 + ‖y‖² is added where y₁ > 5."""

    takes_x = False

    def __init__(self, energy: Energy, value: float) -> None:
        super().__init__()
        self.energy, self.value = energy, value

    def forward(self, x, y, z=None):
        factor = torch.where(y[..., 0] > 5, self.value, 0.0)
        return self.energy(None, y) + factor * (1 + y.square().sum(-1))


class Kinked(Energy):
    """An energy of the same value whose gradient in one parameter is NaN."""

    takes_x = False

    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy, self.scale = energy, nn.Parameter(torch.tensor(1.0))

    def forward(self, x, y, z=None):
        return self.energy(None, y) * (1 + (self.scale - self.scale.detach()).abs().sqrt())


def outlier() -> torch.Tensor:
    y = _normal(16, 2)
    y[3] = torch.tensor([12.0, 0.0])
    return y


def trained(objective, energy, y):
    """Steps skipped of two, or None where a typed error told; and whether anything moved."""
    before = [p.detach().clone() for p in energy.parameters()]
    skipped = None
    with contextlib.suppress(NonFiniteError):
        skipped = fit(Method(energy, objective), (None, y), steps=2, progress=False).skipped
    return skipped, any(
        not torch.equal(p, old) for p, old in zip(energy.parameters(), before, strict=True)
    )


@each
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.filterwarnings("ignore:of 16 chains")
def test_faults_12_to_14_no_step_is_taken_on_energies_that_are_not_finite(name, value):
    objective, energy = built(name)
    skipped, moved = trained(objective, Spoiled(energy, value), outlier())
    assert skipped in (None, 2)
    assert not moved
    assert trained(built(name)[0], Spoiled(energy, 0.0), outlier()) == (0, True)


@each
def test_fault_15_no_step_is_taken_on_gradients_that_are_not_finite(name):
    objective, energy = built(name)
    assert trained(objective, Kinked(energy), _normal(16, 2)) == (2, False)
    with pytest.raises(NonFiniteError, match="scale"):
        fit(Method(Kinked(energy), objective), (None, _normal(16, 2)), steps=9, patience=2)


@each
def test_fault_16_zero_vectors_have_a_finite_gradient(name):
    objective, energy = built(name)
    objective(energy, None, torch.zeros(8, 2), _rng()).value.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in energy.parameters())
    assert any(p.grad is not None for p in energy.parameters())


@pytest.mark.parametrize("name", CHAINED)
def test_faults_22_and_23_chains_that_stray_or_stand_are_told(name):
    make, _ = CHAINED[name]
    y = _normal(16, 2)
    for tilt, curvature, sampler, share, told in (
        (50.0, 0.0, Langevin(0.5), "strayed", "ten times as far"),
        (0.0, 50.0, MALA(1e4), "still", "did not move"),
    ):
        scale = nn.Linear(1, 1, bias=False)
        ill = FunctionEnergy(
            lambda y, t=tilt, c=curvature, w=scale.weight: (
                (1 + 0 * w).sum() * (t * y.sum(-1) + c * y.square().sum(-1))
            )
        )
        with pytest.warns(UserWarning, match=told):
            metrics = make(sampler)(ill, None, y, _rng()).metrics
        assert metrics[share] == 1
    healthy = make(Langevin(0.1))(network(), None, y, _rng()).metrics
    assert healthy["strayed"] == healthy["still"] == 0


@each
def test_fault_26_batch_norm_over_data_and_negatives_is_told(name):
    objective, _ = built(name)
    layers = nn.Linear(2, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, 1), nn.Flatten(0)
    energy, y = FunctionEnergy(nn.Sequential(*layers)), _normal(8, 2)
    if name in ONE_POPULATION:
        assert "batch_norm" not in objective(energy, None, y, _rng()).metrics
        return
    with pytest.warns(UserWarning, match="normalizes over the batch"):
        assert objective(energy, None, y, _rng()).metrics["batch_norm"] == 1
    assert objective(energy.eval(), None, y, _rng()).metrics["batch_norm"] == 0


@each
def test_fault_27_nothing_but_the_loss_is_left_behind(name):
    objective, energy = built(name)
    y, state = _normal(8, 2), torch.get_rng_state()
    kept, mode = y.clone(), [m.training for m in energy.modules()]
    saved = {k: v.clone() for k, v in energy.state_dict().items()}
    for parameter in energy.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    loss = objective(energy, None, y, _rng())
    assert all((parameter.grad == 3.0).all() for parameter in energy.parameters())
    assert torch.equal(y, kept)
    assert not y.requires_grad
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in energy.modules()] == mode
    assert all(torch.equal(v, saved[k]) for k, v in energy.state_dict().items())
    loss.value.backward()  # the control: this does
    assert any((parameter.grad != 3.0).any() for parameter in energy.parameters())


def well_depth(name, sign):
    """How far the energy at the data lies below that beside it, trained as sign * E."""
    objective, energy = built(name)
    optimizer = torch.optim.SGD(energy.parameters(), lr=0.2)
    rng, y = _rng(1), 0.2 * _normal(64, 2)
    for _ in range(25):
        loss = objective(sign * energy, None, y, rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    beside = torch.tensor([[1.5, 0.0], [-1.5, 0.0], [0.0, 1.5], [0.0, -1.5]])
    with torch.no_grad():
        return float(energy(None, beside).mean() - energy(None, y).mean())


@each
def test_fault_28_with_the_sign_of_the_energy_turned_round_wells_become_hills(name):
    assert well_depth(name, +1.0) > 0.05
    assert well_depth(name, -1.0) < -0.05


@each
def test_faults_4_7_and_54_empty_whole_and_complex_data_are_refused(name):
    objective, energy = built(name)
    y = _normal(8, 2)
    refused(ShapeError, lambda: objective(energy, None, y[:0], _rng()), "y", "(0, 2)", "empty")
    for wrong, kind in ((y.long(), "int64"), (y.to(torch.complex64), "complex64")):
        refused(DtypeError, lambda wrong=wrong: objective(energy, None, wrong, _rng()), kind)
    assert objective(energy, None, y, _rng()).value.isfinite()
