import pytest
import torch
from faults_support import _free, _Joined, _noise, _normal, _offending, _rng, inferences, uses
from torch import nn

from ebmlab import Energy, FunctionEnergy, fit, perturbations
from ebmlab.energies import MLP, Gaussian, Reconstruction
from ebmlab.inference import Descent
from ebmlab.losses import difference, log_loss
from ebmlab.negatives import Corrupted, FromData, Replay
from ebmlab.objectives import NCE, Contrastive, Likelihood
from ebmlab.protocols import Method
from ebmlab.samplers import Langevin


def _normalized(training: bool) -> Energy:
    network = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.BatchNorm1d(8), nn.Linear(8, 1)
    )
    return FunctionEnergy(nn.Sequential(network, nn.Flatten(0))).train(training)


@pytest.mark.parametrize(
    "build",
    [
        FromData,
        lambda s, n: Replay(torch.zeros(20, 2), s, n),
        lambda s, n: _noise(),
        lambda s, n: Corrupted(perturbations.Gaussian(0.25), n),
        lambda s, n: _offending(),
    ],
    ids=["FromData", "Replay", "Noise", "Corrupted", "MostOffending"],
)
def test_fault_26_batch_norm_in_training_mode_warns_once_a_draw_and_sets_a_metric(build):
    objective = Contrastive(difference, build(Langevin(0.01), 2))
    y = _normal(8, 2)
    with pytest.warns(UserWarning, match=r"function.0.1 normalizes over the batch") as caught:
        loss = objective(_normalized(training=True), None, y, _rng())
    assert len(caught) == 1
    assert loss.metrics["batch_norm"] == 1
    # Controls, in which a warning would be an error.
    assert objective(_normalized(training=False), None, y, _rng()).metrics["batch_norm"] == 0
    assert objective(MLP(2), None, y, _rng()).metrics["batch_norm"] == 0


@uses
def test_fault_27_nothing_leaves_or_changes_gradients_on_parameters(use):
    energy, x, y = MLP(2, x_dim=2), _normal(4, 2), _normal(4, 2, seed=1)
    use(energy, x, y)
    assert all(parameter.grad is None for parameter in energy.parameters())
    for parameter in energy.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    use(energy, x, y)
    assert all((parameter.grad == 3.0).all() for parameter in energy.parameters())


@inferences
def test_fault_27_no_inference_leaves_gradients_on_parameters(infer):
    free = _free(infer, Reconstruction(_Joined(nn.Linear(4, 2))))
    value = free(_normal(4, 2), _normal(4, 2))
    assert all(parameter.grad is None for parameter in free.parameters())
    value.sum().backward()
    assert free.energy.decoder.network.weight.grad is not None


@pytest.mark.parametrize(
    "objective",
    [
        NCE(_noise().density),
        Contrastive(log_loss, Corrupted(perturbations.Gaussian(1.0))),
        Likelihood.on_grid(torch.full((2,), -3.0), torch.full((2,), 3.0), 8),
    ],
)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_fault_15_a_datum_that_is_not_finite_costs_its_step_and_no_more(objective, bad):
    energy, y = MLP(2, hidden=(4,)), _normal(8, 2)
    before = [p.detach().clone() for p in energy.parameters()]
    y[3, 0] = bad
    run = fit(Method(energy, objective), iter([(None, y)]), steps=1)
    assert run.skipped == 1
    assert all(torch.equal(p, old) for p, old in zip(energy.parameters(), before, strict=True))
    assert all(p.grad is None for p in energy.parameters())


def test_fault_28_chains_go_downhill_and_with_the_sign_turned_round_up():
    energy = Gaussian(torch.zeros(2), torch.eye(2))
    y = 3 + 0.1 * _normal(50, 2)
    start = energy(None, y)
    descend = FromData(Langevin(0.1, temperature=0.0), 5)
    assert (descend(energy, None, y, _rng()).energies[:, 0] < start).all()
    assert (-descend(-1.0 * energy, None, y, _rng()).energies[:, 0] > start).all()
    found = Descent(steps=5).minimize(energy.given(), y)
    assert (found.energy < start).all()
