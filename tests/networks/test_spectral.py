import copy

import pytest
import torch
from problems import randn
from torch import nn

from ebmlab import FunctionEnergy, perturbations
from ebmlab.energies import MLP
from ebmlab.errors import ConfigurationError
from ebmlab.losses import log_loss
from ebmlab.negatives import Corrupted
from ebmlab.networks import MLP as Network
from ebmlab.networks import ConvNet, SpectralNorm, spectral_norm
from ebmlab.objectives import Contrastive
from ebmlab.teachers import EMA


def norms(network: nn.Module) -> list[float]:
    kinds = (nn.Linear, nn.Conv2d)
    layers = [m for m in network.modules() if isinstance(m, kinds)]
    return [float(torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2)) for m in layers]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_every_layer_has_the_norm_that_was_asked_for(scale):
    torch.manual_seed(0)
    for network in (Network(3, 2, (16, 8)), ConvNet(1, 2, width=4, stages=2)):
        found = norms(spectral_norm(network.double(), scale))
        assert found == pytest.approx([scale] * len(found), rel=0.02)


def test_the_gradient_is_that_of_the_weight_over_its_norm():
    layer = nn.Linear(4, 3, bias=False).double()
    plain = layer.weight.detach().clone().requires_grad_()
    x, up = randn(6, 4), randn(6, 3, seed=1)
    for _ in range(400):
        if not hasattr(layer, "parametrizations"):
            spectral_norm(layer)
        layer.parametrizations.weight[0].step()
    (found,) = torch.autograd.grad((layer(x) * up).sum(), layer.parametrizations.weight.original)
    due = ((x @ (plain / torch.linalg.matrix_norm(plain, 2)).mT) * up).sum()
    torch.testing.assert_close(found, torch.autograd.grad(due, plain)[0], rtol=1e-6, atol=1e-8)


def test_calls_change_nothing_and_commits_follow_the_weights():
    torch.manual_seed(0)
    energy = FunctionEnergy(nn.Sequential(spectral_norm(Network(2, 1, (8, 8))), nn.Flatten(0)))
    before, y = copy.deepcopy(energy.state_dict()), torch.randn(16, 2)
    objective = Contrastive(log_loss, Corrupted(perturbations.Gaussian(0.25)))
    rng = torch.Generator().manual_seed(0)
    loss = objective(energy, None, y, rng)
    assert all(torch.equal(before[name], t) for name, t in energy.state_dict().items())
    with torch.no_grad():
        for name, p in energy.named_parameters():
            if "original" in name:
                p.add_(torch.randn(p.shape, generator=rng))
    stale = norms(energy)
    assert max(abs(norm - 1) for norm in stale) > 0.1
    for _ in range(50):
        loss = objective(energy, None, y, rng)
        loss.commit()
    assert norms(energy) == pytest.approx([1.0] * 3, rel=0.02)


def test_copies_teachers_and_saved_states_are_whole():
    torch.manual_seed(0)
    network = spectral_norm(Network(2, 1, (8,)))
    y, teacher, copied = torch.randn(4, 2), EMA(network, 0.5), copy.deepcopy(network)
    other = spectral_norm(Network(2, 1, (8,)))
    other.load_state_dict(network.state_dict())
    for twin in (teacher, copied, other):
        torch.testing.assert_close(twin(y), network(y))
    with torch.no_grad():
        copied[0].parametrizations.weight.original.mul_(torch.rand(8, 1))
    for _ in range(50):
        copied[0].parametrizations.weight[0].step()
    assert norms(copied) == pytest.approx([1.0, 1.0], rel=0.02)
    assert norms(network) == pytest.approx([1.0, 1.0], rel=0.02)


def test_singular_vectors_stay_in_single_precision_and_zeros_stay_zeros():
    torch.manual_seed(0)
    network = spectral_norm(Network(2, 1, (8,))).bfloat16()
    vectors = [m for m in network.modules() if isinstance(m, SpectralNorm)]
    assert {t.dtype for m in vectors for t in (m.u, m.v)} == {torch.float32}
    assert network(torch.zeros(3, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    assert spectral_norm(layer).weight.abs().max() == 0


def test_energies_written_by_hand_see_the_normalized_weights():
    torch.manual_seed(0)
    energy, y = MLP(2, hidden=(8,)), torch.randn(5, 2)
    spectral_norm(energy)
    value, grad = energy.given().value_and_grad(y)
    free = y.clone().requires_grad_()
    (due,) = torch.autograd.grad(energy(None, free).sum(), free)
    torch.testing.assert_close(grad, due)
    torch.testing.assert_close(value, energy(None, y).detach())


def test_what_cannot_be_normalized_raises():
    with pytest.raises(ConfigurationError, match="0 linear"):
        spectral_norm(nn.ReLU())
    with pytest.raises(ConfigurationError, match="parametrized already"):
        spectral_norm(spectral_norm(nn.Linear(2, 2)))
    with pytest.raises(ConfigurationError, match="scale"):
        spectral_norm(nn.Linear(2, 2), 0.0)
