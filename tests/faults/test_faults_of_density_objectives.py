"""Every objective of densities meets the same faults; a new one is a row of a table.

Collapse (21) is of codes; coalesced pools (24) are tested beside the chains.
"""

import contextlib
import math

import pytest
import torch
from faults_support import _Joined, _noise, _normal, _offending, _rng, refused
from torch import nn

from ebmlab import Energy, FunctionEnergy, fit, perturbations
from ebmlab.energies import MLP
from ebmlab.errors import DivergenceError, DtypeError, NonFiniteError, ShapeError
from ebmlab.losses import Hinge, InfoNCE, difference, log_loss, logistic
from ebmlab.negatives import Corrupted, FromData, Replay
from ebmlab.networks import Generator
from ebmlab.objectives import (
    NCE,
    Adversarial,
    ConcreteScore,
    Contrastive,
    Cooperative,
    DenoisingScore,
    EnergyDiscrepancy,
    EnergyMatching,
    Entropic,
    EquilibriumMatching,
    ExactScore,
    Fooling,
    GradientPenalty,
    ImprovedCD,
    Likelihood,
    MinimumProbabilityFlow,
    MultiScaleScore,
    PseudoLikelihood,
    RatioMatching,
    RecoveryLikelihood,
    Repelled,
    SlicedScore,
    SquaredEnergies,
    Unconditional,
    Unrolled,
)
from ebmlab.protocols import Method
from ebmlab.samplers import MALA, Langevin
from ebmlab.training import Stepping

BITS, LEVEL = 6, torch.tensor([0.1])


def replay(sampler):
    return Replay(_normal(64, 2, seed=2), sampler, 3)


def contrast(loss=difference):
    return Contrastive(loss, _noise())


def adversarial(game):
    """Against a generator of points that spread as N(0, 1) does at first."""
    linear = nn.Linear(2, 2, bias=False)
    nn.init.eye_(linear.weight)
    return Adversarial(Generator(linear, 2), game)


# Objectives of points of the plane: of a sampler whose chains are watched ...
CHAINED = {
    "difference, from data": lambda s: Contrastive(difference, FromData(s, 3)),
    "difference, replay": lambda s: Contrastive(difference, replay(s)),
    "improved CD": lambda s: ImprovedCD(replay(s), Langevin(0.01)),
    "recovery": lambda s: RecoveryLikelihood(0.5, s, 3),
    "cooperative": lambda s: adversarial(Cooperative(s, 3)),
}
# ... and without one; some take the noise level as x ...
PLANE = {
    "difference, noise": contrast,
    "InfoNCE, noise": lambda: contrast(InfoNCE()),
    "NCE": lambda: NCE(_noise().density, 3),
    "conditional NCE": lambda: Contrastive(log_loss, Corrupted(perturbations.Gaussian(1.0), 2)),
    "most offending": lambda: Contrastive(Hinge(1.0), _offending()),
    "energy discrepancy": lambda: EnergyDiscrepancy(perturbations.Gaussian(0.3)),
    "likelihood": lambda: Likelihood.on_grid(torch.full((2,), -3.0), torch.full((2,), 3.0), 12),
    "slopes held": lambda: contrast() + 0.1 * GradientPenalty(),
    "heights held": lambda: contrast() + 0.1 * SquaredEnergies(_noise()),
    "adversarial": lambda: adversarial(Fooling(logistic, nn.functional.softplus)),
    "adversarial, repelled": lambda: adversarial(Repelled(Fooling(logistic), nn.Identity())),
    "adversarial, entropic": lambda: adversarial(Entropic(2, 0.3)),
    "exact score": ExactScore,
    "sliced score": SlicedScore,
    "denoising score": lambda: DenoisingScore(0.5),
    "denoising, a range": lambda: Unconditional(DenoisingScore((0.3, 0.6))),
    "equilibrium": EquilibriumMatching,
    "energy matching": lambda: EnergyMatching(DenoisingScore(0.5), 0.5),
    "unrolled": lambda: Unrolled(start=perturbations.Gaussian(0.5)),
}
LEVELED = {"multi-scale score": MultiScaleScore}
# ... and of bits.
FLIPS = {
    "pseudo-likelihood": PseudoLikelihood,
    "ratio matching": RatioMatching,
    "probability flow": MinimumProbabilityFlow,
    "concrete score": ConcreteScore,
    "energy discrepancy, bits": lambda: EnergyDiscrepancy(perturbations.Flips(0.3)),
}
OBJECTIVES = (
    {name: lambda make=make: make(Langevin(0.1)) for name, make in CHAINED.items()}
    | PLANE
    | LEVELED
    | FLIPS
)

each = pytest.mark.parametrize("name", OBJECTIVES)


def dims(name):
    return BITS if name in FLIPS else 2


def data(name, n):
    """Points around 0, or bits most of which are 0."""
    y = _normal(n, dims(name))
    return (y > 1).float() if name in FLIPS else y


def built(name):
    return OBJECTIVES[name](), MLP(dims(name), x_dim=int(name in LEVELED), hidden=(16,))


class Around(Energy):
    """An energy around another one."""

    def __init__(self, energy: Energy) -> None:
        super().__init__()
        self.energy, self.takes_x = energy, energy.takes_x


class Spoiled(Around):
    """An energy to which a number is added on a plateau, where Σ y > 5."""

    def __init__(self, energy: Energy, value: float) -> None:
        super().__init__(energy)
        self.value = value

    def forward(self, x, y, z=None):
        return self.energy(x, y) + torch.where(y.sum(-1) > 5, self.value, 0.0)


class Kinked(Around):
    """An energy of the same value whose gradient in one parameter is NaN."""

    def __init__(self, energy: Energy) -> None:
        super().__init__(energy)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, y, z=None):
        return self.energy(x, y) * (1 + (self.scale - self.scale.detach()).abs().sqrt())


def outlier(name):
    """Data of which one lies on the plateau, and so does what noise makes of it."""
    y = data(name, 16)
    y[3] = torch.ones(BITS) if name in FLIPS else torch.tensor([1e3, 0.0])
    return y


def trained(objective, energy, y):
    """Steps skipped of two, or None where a typed error told; and whether anything moved."""
    state = [*energy.parameters(), *objective.buffers()]
    before = [t.detach().clone() for t in state]
    skipped = None
    with contextlib.suppress(NonFiniteError, DivergenceError):
        skipped = fit(Method(energy, objective), (None, y), steps=2).skipped
    pairs = zip(state, before, strict=True)
    return skipped, any(not torch.equal(now, old) for now, old in pairs)


@each
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.filterwarnings("ignore:of 16 chains")
def test_faults_12_to_14_no_step_is_taken_on_energies_that_are_not_finite(name, value):
    objective, energy = built(name)
    skipped, moved = trained(objective, Spoiled(energy, value), outlier(name))
    assert skipped in (None, 2)
    assert not moved
    assert trained(built(name)[0], Spoiled(energy, 0.0), outlier(name)) == (0, True)


@each
def test_fault_15_no_step_is_taken_on_gradients_that_are_not_finite(name):
    objective, energy = built(name)
    assert trained(objective, Kinked(energy), data(name, 16)) == (2, False)
    with pytest.raises(NonFiniteError, match="scale"):
        fit(
            Method(Kinked(energy), objective),
            (None, data(name, 16)),
            steps=9,
            stepping=Stepping(patience=2),
        )


@each
def test_fault_16_zero_vectors_have_a_finite_gradient(name):
    objective, energy = built(name)
    objective(energy, None, torch.zeros(8, dims(name)), _rng()).value.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in energy.parameters())
    assert any(p.grad is not None for p in energy.parameters())


@pytest.mark.parametrize("name", CHAINED)
def test_faults_22_and_23_chains_that_stray_or_stand_are_told(name):
    make = CHAINED[name]
    y = _normal(16, 2)
    for tilt, curvature, sampler, share, told in (
        (200.0, 0.0, Langevin(0.5), "strayed", "ten times as far"),
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
    healthy = make(Langevin(0.1))(MLP(2), None, y, _rng()).metrics
    assert healthy["strayed"] == healthy["still"] == healthy["coalesced"] == 0
    assert healthy.keys() >= {"e_pos", "e_neg", "acceptance", "moved", "batch_norm"}
    torch.testing.assert_close(healthy["gap"], healthy["e_neg"] - healthy["e_pos"])
    assert not any(metric.requires_grad for metric in healthy.values())


@each
def test_fault_26_batch_norm_over_data_and_negatives_is_told(name):
    objective, y = OBJECTIVES[name](), data(name, 8)
    first = nn.Linear(dims(name) + (name in LEVELED), 8)
    network = nn.Sequential(first, nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, 1), nn.Flatten(0))
    energy = FunctionEnergy(_Joined(network), ("x", "y") if name in LEVELED else ("y",))
    with pytest.warns(UserWarning, match="normalizes over the batch"):
        assert objective(energy, None, y, _rng()).metrics["batch_norm"] == 1
    assert objective(energy.eval(), None, y, _rng()).metrics["batch_norm"] == 0


@each
def test_fault_27_nothing_but_the_loss_is_left_behind(name):
    objective, energy = built(name)
    y, state = data(name, 8), torch.get_rng_state()
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
    optimizer = torch.optim.Adam(energy.parameters(), lr=0.04)
    rng = _rng(1)
    beside = torch.tensor([[1.5, 0.0], [-1.5, 0.0], [0.0, 1.5], [0.0, -1.5]])
    y = data(name, 32) if name in FLIPS else 0.2 * data(name, 32)
    beside = 1 - y if name in FLIPS else beside
    for _ in range(12):
        loss = objective(sign * energy, None, y, rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    u = energy.given(LEVEL if name in LEVELED else None)
    with torch.no_grad():
        return float(u(beside).mean() - u(y).mean())


@each
def test_fault_28_with_the_sign_of_the_energy_turned_round_wells_become_hills(name):
    assert well_depth(name, +1.0) > 0.05
    assert well_depth(name, -1.0) < -0.05


@each
def test_faults_4_7_and_54_empty_whole_and_complex_data_are_refused(name):
    objective, energy = built(name)
    y = data(name, 8)
    refused(
        ShapeError,
        lambda: objective(energy, None, y[:0], _rng()),
        "y",
        f"(0, {dims(name)})",
        "empty",
    )
    for wrong, kind in ((y.long(), "int64"), (y.to(torch.complex64), "complex64")):
        refused(DtypeError, lambda wrong=wrong: objective(energy, None, wrong, _rng()), kind)
    assert objective(energy, None, y, _rng()).value.isfinite()
