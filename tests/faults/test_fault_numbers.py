import math

import pytest
import torch
from faults_support import _Joined, _latent_energy, _normal, _pair_energy, refused
from torch import nn

from ebmlab import FreeEnergy
from ebmlab.energies import (
    Cosine,
    CrossEntropy,
    GaussianMixture,
    JointEmbedding,
    Ring,
    SquaredDistance,
    unit,
)
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Amortized, Descent, Enumerate
from ebmlab.losses import InfoNCE
from ebmlab.negatives import FromData, InBatch, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.regularizers import VICReg
from ebmlab.samplers import MALA, Langevin


@pytest.mark.parametrize("norm", [0.0, 1e-30, 1e-20, 1e-15, 1e-10, 1e15])
def test_fault_16_short_and_zero_vectors_are_normalized_with_a_finite_gradient(norm):
    h = torch.tensor([[0.6, 0.8], [0.0, 1.0]]) * torch.tensor([[norm], [1.0]])
    h.requires_grad_()
    for function in (unit, lambda h: Cosine()(h, torch.ones(2, 2)), lambda h: Cosine()(h, h)):
        value = function(h)
        (grad,) = torch.autograd.grad(value.sum(), h)
        assert value.isfinite().all()
        assert grad.isfinite().all()
    # Control: dividing by the norm itself.
    (grad,) = torch.autograd.grad((h / h.square().sum(-1, keepdim=True).sqrt()).sum(), h)
    assert grad.isfinite().all() == (norm > 1e-18)


@pytest.mark.parametrize("norm", [1e-3, 300.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_fault_16_half_precision_codes_of_any_norm_have_norm_one_afterwards(norm, dtype):
    h = (norm * torch.tensor([[0.6, 0.8]])).to(dtype)
    torch.testing.assert_close(unit(h).float(), torch.tensor([[0.6, 0.8]]), rtol=0, atol=0.01)


def test_fault_16_a_zero_code_does_not_spoil_a_contrastive_step():
    encoder = nn.Linear(2, 3, bias=False)
    x = torch.cat([torch.zeros(1, 2), _normal(5, 2)])
    objective = Contrastive(InfoNCE(0.1), InBatch(both=True))
    objective(JointEmbedding(encoder), (x, x + 0), (x, x + 0)).value.backward()
    assert encoder.weight.grad.isfinite().all()
    assert Ring().given().value_and_grad(torch.zeros(1, 2))[1].isfinite().all()


@pytest.mark.parametrize(
    ("objective", "fragment"),
    [
        (Regularized(VICReg()), "a variance needs"),
        (Contrastive(InfoNCE(), InBatch()), "a batch of one"),
        (Contrastive(InfoNCE(), InBatch(both=True)), "a batch of one"),
    ],
)
def test_fault_17_a_batch_of_one_has_no_variance_and_no_others(objective, fragment):
    energy = JointEmbedding(nn.Linear(2, 3), head=SquaredDistance())
    one, two = _normal(1, 2), _normal(2, 2)
    refused(ShapeError, lambda: objective(energy, one, one), "(1, 3)", fragment)
    refused(ShapeError, lambda: objective(energy, (one, one), (one, one)), "(1, 3)", fragment)
    assert objective(energy, two, two).value.isfinite()


_STEP = {
    "Descent": lambda v: Descent(step_size=v),
    "Langevin": lambda v: FromData(Langevin(v), 2),
    "MALA": lambda v: Replay(torch.zeros(4, 2), MALA(v), 2),
}
_TEMPERATURE = {
    "FreeEnergy": lambda v: FreeEnergy(_latent_energy(), Enumerate(torch.zeros(2, 2)), v),
    "Enumerate": lambda v: Enumerate(torch.zeros(2, 2))(
        _latent_energy(), _normal(4, 2), _normal(4, 2), v
    ),
    "Amortized": lambda v: Amortized(_Joined(nn.Linear(4, 2)))(
        _latent_energy(), _normal(4, 2), _normal(4, 2), v
    ),
    "Langevin": lambda v: FromData(Langevin(0.1, temperature=v), 2),
}
_DIVISOR = {
    "Tempered": lambda v: _pair_energy() / v,
    "InfoNCE": InfoNCE,
    "CrossEntropy": CrossEntropy,
    "DenoisingScore": DenoisingScore,
    "GaussianMixture": lambda v: GaussianMixture(torch.zeros(2, 2), v),
}


@pytest.mark.parametrize("build", [*_STEP.values(), *_DIVISOR.values()], ids=[*_STEP, *_DIVISOR])
@pytest.mark.parametrize("bad", [0.0, -0.1, math.nan, math.inf])
def test_fault_18_step_sizes_and_divisors_must_be_positive(build, bad):
    refused(ConfigurationError, lambda: build(bad), str(bad), "finite and positive")
    build(0.1)


@pytest.mark.parametrize("build", _TEMPERATURE.values(), ids=_TEMPERATURE)
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_fault_18_temperatures_must_not_be_negative(build, bad):
    refused(ConfigurationError, lambda: build(bad), "temperature", str(bad), "not negative")
    build(0.0)


def test_fault_18_a_point_has_no_temperature():
    descent = Descent(torch.zeros(2, 2), steps=1)
    energy, x, y = _latent_energy(), _normal(4, 2), _normal(4, 2)
    refused(ConfigurationError, lambda: descent(energy, x, y, 0.5), "temperature", "0.5")
    refused(ConfigurationError, lambda: descent(energy, x, y, math.nan), "temperature", "nan")
    descent(energy, x, y, 0.0)
