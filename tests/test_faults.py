"""Faults met on purpose: each injected, the message read, and a control that passes.

The numbers are those of the list of faults; what samplers and `run` do about theirs (12 to 15, 19,
20, 22, 23) is tested beside them.
"""

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy, FunctionEnergy, errors
from ebmlab.energies import (
    MLP,
    Cosine,
    CrossEntropy,
    Gaussian,
    GaussianMixture,
    JointEmbedding,
    Reconstruction,
    Ring,
    SquaredDistance,
    unit,
)
from ebmlab.errors import (
    ConfigurationError,
    DeviceError,
    DtypeError,
    EbmlabError,
    GradientError,
    ShapeError,
)
from ebmlab.inference import Amortized, Descent, Enumerate
from ebmlab.losses import InfoNCE, difference
from ebmlab.negatives import FromData, InBatch, Noise, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.regularizers import VICReg
from ebmlab.samplers import MALA, Langevin
from ebmlab.teachers import EMA
from ebmlab.types import Potential


@pytest.fixture(autouse=True)
def _same_networks():
    torch.manual_seed(0)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=_rng(seed))


def refused(kind: type[EbmlabError], call: Callable[[], object], *fragments: str) -> None:
    """The call raises a typed error that is also a built-in one and says all the fragments."""
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, EbmlabError)
    assert isinstance(caught.value, ValueError | RuntimeError)
    for fragment in fragments:
        assert fragment in str(caught.value)


def _noise() -> Noise:
    return Noise(Gaussian(torch.zeros(2), torch.eye(2)), k=3)


# All that is done with an energy of x and y (vectors of 2).
USES: dict[str, Callable[[Energy, Tensor | None, Tensor], object]] = {
    "energy": lambda e, x, y: e(x, y),
    "potential": lambda e, x, y: e.given(x)(y),
    "gradient": lambda e, x, y: e.given(x).value_and_grad(y),
    "in_batch": lambda e, x, y: InBatch()(e, x, y),
    "noise": lambda e, x, y: _noise()(e, x, y, _rng()),
    "from_data": lambda e, x, y: FromData(Langevin(0.01), 2)(e, x, y, _rng()),
    "replay": lambda e, x, y: Replay(torch.zeros(9, 2), MALA(0.01), 2)(e, x, y, _rng()),
    "contrastive": lambda e, x, y: Contrastive(InfoNCE(), InBatch())(e, x, y),
    "regularized": lambda e, x, y: Regularized()(e, x, y),
    "denoising_score": lambda e, x, y: DenoisingScore(0.1)(e, x, y, _rng()),
}
SAMPLED = ("gradient", "from_data", "replay", "denoising_score")
uses = pytest.mark.parametrize("use", USES.values(), ids=USES)
slopes = pytest.mark.parametrize("use", [USES[name] for name in SAMPLED], ids=SAMPLED)

ENERGIES: dict[str, Callable[[], Energy]] = {
    "network": lambda: MLP(2, x_dim=2),
    "codes": SquaredDistance,
    "cosine": Cosine,
    "embedding": lambda: JointEmbedding(nn.Linear(2, 3), head=SquaredDistance()),
}
energies = pytest.mark.parametrize("build", ENERGIES.values(), ids=ENERGIES)

# All ways to infer a z of length 2; the encoder takes x and y of length 2.
INFERENCES: dict[str, Callable[[], tuple[nn.Module, float]]] = {
    "enumerate": lambda: (Enumerate(_normal(3, 2)), 0.0),
    "enumerate_warm": lambda: (Enumerate(_normal(3, 2)), 0.5),
    "descent": lambda: (Descent(_normal(3, 2), steps=2), 0.0),
    "amortized": lambda: (Amortized(_Joined(nn.Linear(4, 2))), 0.0),
}
inferences = pytest.mark.parametrize("infer", INFERENCES.values(), ids=INFERENCES)


class _Joined(nn.Module):
    """A network of several vectors side by side."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(torch.cat(inputs, dim=-1))


def _pair_energy(output: Callable[[Tensor], Tensor] = lambda e: e[:, 0]) -> FunctionEnergy:
    """A network of x and y, whose output (n, 1) is made an energy, right or wrong."""
    network = _Joined(nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1)))
    return FunctionEnergy(lambda x, y: output(network(x, y)), ("x", "y"))


def _latent_energy(output: Callable[[Tensor], Tensor] = lambda e: e[:, 0]) -> FunctionEnergy:
    network = _Joined(nn.Sequential(nn.Linear(6, 8), nn.Softplus(), nn.Linear(8, 1)))
    return FunctionEnergy(lambda x, y, z: output(network(x, y, z)), ("x", "y", "z"))


def _free(infer: Callable[[], tuple[nn.Module, float]], energy: Energy) -> FreeEnergy:
    inference, temperature = infer()
    return FreeEnergy(energy, inference, temperature)


# The errors themselves


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"EbmlabError"}))
def test_every_error_is_ours_and_a_built_in_one(name):
    kind = getattr(errors, name)
    assert issubclass(kind, EbmlabError)
    assert issubclass(kind, ValueError) != issubclass(kind, RuntimeError)


# Shapes: 1 to 5


@uses
def test_fault_1_an_energy_of_shape_b_by_1_is_refused_and_squeezed_it_passes(use):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(ShapeError, lambda: use(_pair_energy(lambda e: e), x, y), "FunctionEnergy", "1)")
    use(_pair_energy(lambda e: e.squeeze(-1)), x, y)


@inferences
def test_fault_1_an_energy_of_shape_b_by_1_is_refused_with_a_latent(infer):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    free = _free(infer, _latent_energy(lambda e: e))
    refused(ShapeError, lambda: free(x, y), "FunctionEnergy", "1)")
    _free(infer, _latent_energy())(x, y)


def test_fault_1_a_batch_of_one_and_a_plain_potential_are_no_way_round():
    refused(ShapeError, lambda: _pair_energy(lambda e: e)(_normal(1, 2), _normal(1, 2)), "(1, 1)")
    u = Potential(lambda y: y[:, :1])
    refused(ShapeError, lambda: u(_normal(4, 2)), "(4, 2)", "(4, 1)", "(4,) is due")
    assert Potential(lambda y: y[:, 0])(_normal(4, 2)).shape == (4,)


@uses
def test_fault_2_a_scalar_energy_is_refused(use):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(ShapeError, lambda: use(_pair_energy(torch.sum), x, y), "returned ()")


@inferences
def test_fault_2_a_scalar_energy_is_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy(torch.sum))
    refused(ShapeError, lambda: free(_normal(4, 2), _normal(4, 2)), "returned ()")


def test_fault_2_a_batch_of_one_and_a_plain_potential_are_no_way_round():
    refused(ShapeError, lambda: _pair_energy(torch.sum)(_normal(1, 2), _normal(1, 2)), "()")
    refused(ShapeError, lambda: Potential(torch.sum)(_normal(1, 2)), "(1,) is due", "()")
    refused(ShapeError, lambda: Potential(lambda y: 0.0)(_normal(1, 2)), "float")


@uses
@energies
def test_fault_3_batches_that_differ_are_refused(use, build):
    y = _normal(4, 2)
    refused(ShapeError, lambda: use(build(), _normal(3, 2), y), "x", "y", "3", "4")
    use(build(), _normal(4, 2), y)


@inferences
def test_fault_3_batches_that_differ_are_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy())
    refused(ShapeError, lambda: free(_normal(3, 2), _normal(4, 2)), "(3,)", "(4,)")
    energy = _latent_energy()
    refused(
        ShapeError,
        lambda: energy(_normal(4, 2), _normal(4, 2), _normal(5, 2)),
        "z (5,)",
        "y (4,)",
    )
    assert energy(_normal(4, 2), _normal(4, 2), _normal(5, 1, 2)).shape == (5, 4)


@uses
@energies
def test_fault_4_an_empty_batch_is_refused_by_name(use, build):
    with pytest.raises(ShapeError, match=r"\b[xy] has shape") as caught:
        use(build(), torch.zeros(0, 2), torch.zeros(0, 2))
    assert ", 2)" in str(caught.value)
    use(build(), torch.zeros(2, 2), torch.ones(2, 2))


@inferences
def test_fault_4_an_empty_batch_is_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy())
    refused(ShapeError, lambda: free(torch.zeros(0, 2), torch.zeros(0, 2)), "x", "(0, 2)", "empty")


@pytest.mark.parametrize(
    "build", [lambda: _latent_energy(), lambda: Reconstruction(_Joined(nn.Linear(4, 2)))]
)
def test_fault_5_a_z_without_batch_is_refused(build):
    energy, x, y = build(), _normal(4, 2), _normal(4, 2)
    refused(ShapeError, lambda: energy(x, y, _normal(2)), "z has shape (2,)", "z[None]")
    refused(ShapeError, lambda: energy(x, y, torch.tensor(0.0)), "z has shape ()")
    torch.testing.assert_close(
        energy(x, y, _normal(2)[None]), energy(x, y, _normal(2).repeat(4, 1))
    )


# Types and devices: 6 to 9


@uses
@energies
def test_fault_6_single_and_double_precision_do_not_mix(use, build):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(DtypeError, lambda: use(build(), x.double(), y), "x", "float64", "float32")
    refused(DtypeError, lambda: use(build(), x, y.double()), "y", "float64", "float32")
    use(build(), x, y)
    use(build().double(), x.double(), y.double())


@uses
@pytest.mark.parametrize("name", ["network", "embedding"])
def test_fault_6_data_in_double_meets_no_network_in_single_precision(use, name):
    x, y = _normal(4, 2).double(), _normal(4, 2).double()
    refused(DtypeError, lambda: use(ENERGIES[name](), x, y), "float64", "float32")


@inferences
def test_fault_6_a_latent_in_another_precision_is_refused(infer):
    x, y = _normal(4, 2), _normal(4, 2)
    energy = Reconstruction(_Joined(nn.Linear(4, 2)))
    inference, temperature = infer()
    free = FreeEnergy(energy, inference.double(), temperature)
    refused(DtypeError, lambda: free(x, y), "float64", "float32")
    FreeEnergy(energy, inference.float(), temperature)(x, y)


@slopes
def test_fault_7_integers_have_no_gradient(use):
    quadratic = FunctionEnergy(lambda y: 0.5 * y.float().square().sum(-1))
    refused(DtypeError, lambda: use(quadratic, None, torch.ones(4, 2).long()), "y", "int64")
    use(quadratic, None, torch.ones(4, 2))


def test_fault_7_integer_starts_of_a_descent_are_refused():
    energy = Reconstruction(nn.Identity(), takes_x=False)
    starts = torch.ones(3, 2).long()
    free = FreeEnergy(energy, Descent(starts, steps=2))
    refused(DtypeError, lambda: free(None, _normal(4, 2)), "int64")
    FreeEnergy(energy, Descent(starts.float(), steps=2))(None, _normal(4, 2))


@uses
@energies
def test_fault_8_x_and_y_on_different_devices_are_refused(use, build):
    x, y = _normal(4, 2), _normal(4, 2)
    refused(DeviceError, lambda: use(build(), x.to("meta"), y), "meta", "cpu")
    refused(DeviceError, lambda: use(build(), x, y.to("meta")), "meta", "cpu")
    use(build(), x, y)


def test_faults_6_and_8_autocast_casts_halves_but_excuses_neither_double_nor_device():
    y = _normal(4, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert MLP(2)(None, y.bfloat16()).isfinite().all()
        refused(DtypeError, lambda: MLP(2)(None, y.double()), "float64", "float32")
        refused(DeviceError, lambda: MLP(2)(None, y.to("meta")), "MLP", "meta", "cpu")


@pytest.mark.parametrize("name", ["energy", "potential", "in_batch", "contrastive", "regularized"])
def test_fault_8_a_network_elsewhere_is_refused(name):
    energy, y = MLP(2, x_dim=2), _normal(4, 2)
    refused(DeviceError, lambda: USES[name](energy.to("meta"), y, y), "MLP", "meta", "cpu")


@inferences
def test_fault_8_a_latent_elsewhere_is_refused(infer):
    inference, temperature = infer()
    energy = FunctionEnergy(lambda x, y, z: (x + y - z).square().sum(-1), ("x", "y", "z"))
    free = FreeEnergy(energy, inference.to("meta"), temperature)
    refused(DeviceError, lambda: free(_normal(4, 2), _normal(4, 2)), "meta", "cpu")


def test_fault_8_a_pool_and_a_noise_density_elsewhere_are_refused():
    energy, y = MLP(2), _normal(4, 2)
    replay = Replay(torch.zeros(9, 2), Langevin(0.01), 2).to("meta")
    refused(DeviceError, lambda: replay(energy, None, y, _rng()), "pool", "meta", "cpu")
    refused(DeviceError, lambda: _noise().to("meta")(energy, None, y, _rng()), "meta", "cpu")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fault_9_half_precision_points_move_in_single_precision(dtype):
    # Steps of 1e-4 are below half a unit in the last place at 2: half precision would stand still.
    slope = FunctionEnergy(lambda y: y.sum(-1))
    y = torch.full((4, 2), 2.0, dtype=dtype)
    draw = FromData(Langevin(1e-4, temperature=0.0), 500)(slope, None, y, _rng())
    assert draw.energies.dtype == dtype
    torch.testing.assert_close(draw.energies.float(), torch.full((4, 1), 3.9), rtol=0, atol=0.02)
    stuck = y.clone()
    for _ in range(500):
        stuck = stuck - 1e-4
    assert torch.equal(stuck, y)


# Gradients and inputs: 10, 11


@slopes
def test_fault_10_an_energy_detached_from_y_is_refused(use):
    cut = FunctionEnergy(lambda y: y.detach().square().sum(-1))
    refused(
        GradientError, lambda: use(cut, None, _normal(4, 2)), "(4, 2)", "no gradient", "detach"
    )
    learned = nn.Linear(2, 1)
    cut = FunctionEnergy(lambda y: learned(y.detach())[:, 0])
    refused(GradientError, lambda: use(cut, None, _normal(4, 2)), "(4, 2)", "no gradient")
    use(FunctionEnergy(lambda y: learned(y)[:, 0]), None, _normal(4, 2))


def test_fault_10_an_energy_detached_from_z_is_refused():
    cut = FunctionEnergy(lambda y, z: (y - z.detach()).square().sum(-1), ("y", "z"))
    free = FreeEnergy(cut, Descent(_normal(3, 2), steps=2))
    refused(GradientError, lambda: free(None, _normal(4, 2)), "no gradient")


@uses
@energies
def test_fault_11_no_use_changes_its_input_in_place(use, build):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    kept = x.clone(), y.clone()
    versions = x._version, y._version
    use(build(), x, y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert (x._version, y._version) == versions
    assert not x.requires_grad
    assert not y.requires_grad


@inferences
def test_fault_11_no_inference_changes_its_input_in_place(infer):
    free = _free(infer, Reconstruction(_Joined(nn.Linear(4, 2))))
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    kept = x.clone(), y.clone(), {n: v.clone() for n, v in free.state_dict().items()}
    free(x, y).sum().backward()
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert all(torch.equal(v, kept[2][n]) for n, v in free.state_dict().items())
    assert not x.requires_grad
    assert x.grad is None


# Numbers: 16 to 18


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


# Training: 26 to 28


def _normalized(training: bool) -> Energy:
    network = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.BatchNorm1d(8), nn.Linear(8, 1)
    )
    return FunctionEnergy(nn.Sequential(network, nn.Flatten(0))).train(training)


@pytest.mark.parametrize("build", [FromData, lambda s, n: Replay(torch.zeros(20, 2), s, n)])
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


def _well_depth(sign: float, objective: Contrastive | DenoisingScore) -> float:
    """How far the energy at the data lies below that beside it, trained on sign * E."""
    energy = MLP(2, hidden=(16,))
    optimizer = torch.optim.SGD(energy.parameters(), lr=0.1)
    rng, y = _rng(1), 0.2 * _normal(64, 2)
    for _ in range(60):
        loss = objective(sign * energy, None, y, rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    beside = torch.tensor([[1.5, 0.0], [-1.5, 0.0], [0.0, 1.5], [0.0, -1.5]])
    with torch.no_grad():
        return (energy(None, beside).mean() - energy(None, y).mean()).item()


@pytest.mark.parametrize(
    "objective",
    [Contrastive(InfoNCE(), _noise()), Contrastive(difference, _noise()), DenoisingScore(0.5)],
)
def test_fault_28_with_the_sign_of_the_energy_turned_round_wells_become_hills(objective):
    assert _well_depth(+1.0, objective) > 0.05
    assert _well_depth(-1.0, objective) < -0.05


def test_fault_28_chains_go_downhill_and_with_the_sign_turned_round_up():
    energy = Gaussian(torch.zeros(2), torch.eye(2))
    y = 3 * torch.ones(50, 2)
    descend = FromData(Langevin(0.1, temperature=0.0), 5)
    assert (descend(energy, None, y, _rng()).energies < 9.0).all()
    assert (-descend(-1.0 * energy, None, y, _rng()).energies > 9.0).all()
    found = Descent(steps=5).minimize(energy.given(), y)
    assert (found.energy < 9.0).all()


# Randomness, the last of the numbers here


def _global_states() -> tuple:
    return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002


@uses
def test_fault_31_no_use_touches_the_global_generators(use):
    energy, x, y = MLP(2, x_dim=2), _normal(4, 2), _normal(4, 2, seed=1)
    before = _global_states()
    use(energy, x, y)
    assert _global_states() == before
    torch.rand(1)
    assert _global_states() != before


def test_fault_31_neither_inference_nor_teachers_nor_commits_touch_the_global_generators():
    free = FreeEnergy(
        Reconstruction(nn.Linear(2, 2), takes_x=False), Amortized(_Gaussian(), samples=3), 1.0
    )
    student = nn.Linear(2, 3)
    replay = Replay(torch.zeros(9, 3), Langevin(0.01), 2, rebirth=0.5)
    objective = Contrastive(difference, replay) + Regularized(VICReg())
    energy = JointEmbedding(student, EMA(student), SquaredDistance())
    before = _global_states()
    free(None, _normal(4, 2), rng=_rng())
    FreeEnergy(free.energy, Descent(_normal(2, 2), steps=2))(None, _normal(4, 2))
    objective(energy, _normal(4, 2), _normal(4, 2), _rng()).commit()
    assert _global_states() == before


class _Gaussian(nn.Module):
    """An encoder that returns (mean, log_std)."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y, torch.zeros_like(y)


@pytest.mark.parametrize(
    ("who", "call"),
    [
        ("Noise", lambda rng: _noise()(MLP(2), None, torch.zeros(4, 2), rng)),
        ("FromData", lambda rng: FromData(MALA(0.1), 1)(MLP(2), None, torch.zeros(4, 2), rng)),
        (
            "Replay",
            lambda rng: Replay(torch.zeros(9, 2), MALA(0.1), 1)(
                MLP(2), None, torch.zeros(4, 2), rng
            ),
        ),
        ("DenoisingScore", lambda rng: DenoisingScore(0.1)(MLP(2), None, torch.zeros(4, 2), rng)),
        (
            "Amortized",
            lambda rng: Amortized(_Gaussian())(
                Reconstruction(nn.Identity(), takes_x=False), None, torch.zeros(4, 2), 1.0, rng=rng
            ),
        ),
    ],
)
def test_fault_31_what_draws_asks_for_a_generator_and_obeys_it(who, call):
    refused(ConfigurationError, lambda: call(None), who, "rng=torch.Generator")
    call(_rng())
