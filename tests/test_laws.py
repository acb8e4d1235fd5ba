"""The laws of `ebmlab.testing`, over everything that is shipped, and over what breaks each."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ebmlab import energies, inference, losses, negatives, objectives, samplers, teachers
from ebmlab.energies import (
    MLP,
    Banana,
    Constant,
    ConvNet,
    Cosine,
    CrossEntropy,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    JointEmbedding,
    Predicted,
    Reconstruction,
    Ring,
    SquaredDistance,
    Uniform,
)
from ebmlab.energy import Energy, FunctionEnergy, Scaled, Sum, Tempered
from ebmlab.errors import ConfigurationError, EbmlabError, GradientError, ShapeError
from ebmlab.free_energy import FreeEnergy, Inference, Posterior
from ebmlab.inference import Amortized, Descent, Enumerate
from ebmlab.losses import Hinge, InfoNCE
from ebmlab.negatives import FromData, InBatch, Noise, Replay
from ebmlab.objectives import Contrastive, DenoisingScore, Regularized
from ebmlab.protocols import Loss, Objective, Stepped
from ebmlab.regularizers import VICReg
from ebmlab.samplers import MALA, Langevin
from ebmlab.teachers import EMA, Detached
from ebmlab.testing import check_energy, check_inference, check_objective, check_sampler
from ebmlab.types import Info, State


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X1, X3 = normal(4, 1, seed=1), normal(4, 3, seed=2)
Y2, Y3 = normal(4, 2, seed=3), normal(4, 3, seed=4)
Z1, CODES = normal(4, 1, seed=5), normal(5, 1, seed=6)
PICTURES = normal(3, 1, 4, 4, seed=7), normal(3, 1, 4, 4, seed=8)


@pytest.fixture(autouse=True)
def _fixed_weights():
    """Networks draw their weights from the global generator; it is put back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 4), nn.Tanh(), nn.Linear(4, outputs))


class Joined(nn.Module):
    """Networks of vectors side by side: one output, or a tuple of several."""

    def __init__(self, *nets):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, *inputs):
        out = tuple(net(torch.cat(inputs, dim=-1)) for net in self.nets)
        return out[0] if len(out) == 1 else out


def latent(prior=None, x_dim=1):
    """E(x, y, z) = ‖g(x, z) - y‖² of x (1), y (2), z (1)."""
    return Reconstruction(Joined(net(x_dim + 1, 2)), prior=prior)


def unit_prior():
    return Gaussian(torch.zeros(1), torch.eye(1))


def embedding(head=None, target=None):
    """E(x, y) of X3 and Y3 through codes (2); `target` makes one of the online network."""
    f = net(3, 2)
    return JointEmbedding(f, None if target is None else target(f), head)


def free(infer, temperature=0.0):
    return FreeEnergy(latent(), infer, temperature)


def point_encoder():
    return Amortized(Joined(net(3, 1)))


def gaussian_encoder(samples=1):
    return Amortized(Joined(net(3, 1), net(3, 1)), samples)


def descent(steps=60):
    return Descent(torch.tensor([[-1.0], [1.0]]), steps=steps)


# Energies: name -> (energy, x, y, z).
ENERGIES = {
    "Gaussian": lambda: (Gaussian(torch.ones(2), torch.eye(2) + 0.5), None, Y2),
    "GaussianMixture": lambda: (GaussianMixture(normal(3, 2), 0.7), None, Y2),
    "Uniform": lambda: (Uniform(-torch.ones(2), torch.ones(2)), None, Y2),
    "DoubleWell": lambda: (DoubleWell(), None, Y2),
    "Ring": lambda: (Ring(), None, Y2),
    "Banana": lambda: (Banana(), None, Y2),
    "Funnel": lambda: (Funnel(dim=3), None, Y3),
    "MLP of y": lambda: (MLP(2, hidden=(8,)), None, Y2),
    "MLP of x and y": lambda: (MLP(2, x_dim=3, hidden=(8, 8)), X3, Y2),
    "ConvNet of 6x6": lambda: (ConvNet(1, 2, 2), None, normal(3, 1, 6, 6)),
    "ConvNet of 5x9": lambda: (ConvNet(3, 2, 1), None, normal(3, 3, 5, 9)),
    "Constant": lambda: (Constant(0.5), None, Y2),
    "SquaredDistance": lambda: (SquaredDistance(), X3, Y3),
    "SquaredDistance of numbers": lambda: (SquaredDistance(0), X3[:, 0], Y3[:, 0]),
    "SquaredDistance of images": lambda: (SquaredDistance(3), *PICTURES),
    "Cosine": lambda: (Cosine(), X3, Y3),
    "CrossEntropy": lambda: (CrossEntropy(0.5), X3, Y3.softmax(-1)),
    "Predicted": lambda: (Predicted(net(3, 3)), X3, Y3),
    "JointEmbedding, shared": lambda: (embedding(SquaredDistance()), X3, Y3),
    "JointEmbedding, two": lambda: (JointEmbedding(net(3, 2), net(2, 2)), X3, Y2),
    "JointEmbedding, EMA": lambda: (embedding(target=EMA), X3, Y3),
    "JointEmbedding, Detached": lambda: (embedding(target=Detached), X3, Y3),
    "JointEmbedding, Predicted": lambda: (embedding(Predicted(net(2, 2))), X3, Y3),
    "JointEmbedding, z": lambda: (embedding(latent(x_dim=2)), X3, Y3, Z1),
    "JointEmbedding, views": lambda: (embedding(), (X3, Y3), (X3, Y3)),
    "JointEmbedding, images": lambda: (
        JointEmbedding(nn.Sequential(nn.Flatten(), net(16, 2)), x_ndim=3),
        *PICTURES,
    ),
    "Reconstruction": lambda: (latent(), X1, Y2, Z1),
    "Reconstruction, z only": lambda: (Reconstruction(net(1, 2), takes_x=False), None, Y2, Z1),
    "Reconstruction, x unused": lambda: (Reconstruction(net(1, 2), takes_x=False), X1, Y2, Z1),
    "Reconstruction, prior": lambda: (latent(unit_prior()), X1, Y2, Z1),
    "FunctionEnergy": lambda: (
        FunctionEnergy(lambda x, y: (x - y).square().sum(-1), ("x", "y")),
        X3,
        Y3,
    ),
    "FunctionEnergy, module": lambda: (
        FunctionEnergy(nn.Sequential(net(2, 1), nn.Flatten(0))),
        None,
        Y2,
    ),
    "FunctionEnergy, z": lambda: (
        FunctionEnergy(lambda y, z: (y * z).sin().sum(-1), ("y", "z")),
        None,
        Y2,
        Z1,
    ),
    "Sum": lambda: (latent() + MLP(2, hidden=(4,)) + Constant(), X1, Y2, Z1),
    "Scaled": lambda: (0.5 * embedding(), X3, Y3),
    "Scaled, learned": lambda: (DoubleWell() * nn.Parameter(torch.tensor(2.0)), None, Y2),
    "Tempered": lambda: (embedding() / 0.5, X3, Y3),
    "Tempered, learned": lambda: (DoubleWell() / nn.Parameter(torch.tensor(2.0)), None, Y2),
    "FreeEnergy, Enumerate, T=0": lambda: (free(Enumerate(CODES)), X1, Y2),
    "FreeEnergy, Enumerate, T=0.5": lambda: (free(Enumerate(CODES), 0.5), X1, Y2),
    "FreeEnergy, learned codes": lambda: (free(Enumerate(nn.Parameter(CODES)), 0.5), X1, Y2),
    "FreeEnergy, Descent": lambda: (FreeEnergy(latent(unit_prior()), descent()), X1, Y2),
    "FreeEnergy, Amortized, T=0": lambda: (free(point_encoder()), X1, Y2),
    "FreeEnergy, Amortized, T=0.5": lambda: (free(gaussian_encoder(2), 0.5), X1, Y2),
    "FreeEnergy, embedded": lambda: (
        FreeEnergy(embedding(latent(x_dim=2)), Enumerate(CODES), 0.5),
        X3,
        Y3,
    ),
    "Sum, random": lambda: (
        0.5 * free(gaussian_encoder(), 0.5) + free(gaussian_encoder(), 1.0) / 2.0,
        X1,
        Y2,
    ),
}

# What an energy is excused from, and why.
ENERGY_EXEMPTIONS = {
    "Uniform": ({"differentiable": ()}, "a step has no slope"),
    "Constant": ({"differentiable": ()}, "it does not depend on y"),
    "Predicted": ({"differentiable": ("x",)}, "the gradient is stopped at the target's code"),
    "JointEmbedding, Predicted": ({"differentiable": ("x",)}, "the same, in its head"),
    "JointEmbedding, EMA": ({"differentiable": ("x",)}, "no gradient passes a teacher"),
    "JointEmbedding, Detached": ({"differentiable": ("x",)}, "no gradient passes the target"),
    "FreeEnergy, Descent": ({"second": False}, "the z found is a constant: first derivatives"),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_shipped_energy_keeps_the_laws(name):
    excused, _ = ENERGY_EXEMPTIONS.get(name, ({}, ""))
    check_energy(*ENERGIES[name](), **excused)


class Conjugate(nn.Module, Inference):
    """The exact q of E = ‖w z + b - y‖² with z ~ N(0, 1), as two atoms that match its moments."""

    bound = "exact"

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        if temperature < 0 or math.isnan(temperature):
            raise ConfigurationError("temperature must not be negative")
        w, b = energy.decoder.weight[:, 0], energy.decoder.bias
        along, size = (y - b) @ w, w.square().sum()
        zero = torch.zeros_like(along)
        if temperature == 0:
            atom = (along / size)[None, ..., None]
            return Posterior(atom, torch.ones_like(atom[..., 0]), zero, zero)
        precision = 1 + 2 * size / temperature
        mean, std = 2 * along / temperature / precision, precision.rsqrt()
        atoms = torch.stack([mean - std, mean + std])[..., None]
        information = 0.5 * (mean.square() + std.square() - 1) - std.log()
        return Posterior(atoms, torch.full_like(atoms[..., 0], 0.5), information, zero)


def plane():
    return Reconstruction(nn.Linear(1, 2), takes_x=False)


def grid():
    """Values of z, and the weights of a standard normal prior on them."""
    z = torch.linspace(-6, 6, 601, dtype=torch.float64)[:, None]
    return Enumerate(z.float(), (-0.5 * z[:, 0].square()).exp())


# Inferences: name -> (infer, energy, x, temperature, the exact one or None).
INFERENCES = {
    "Enumerate, T=0": lambda: (Enumerate(CODES), latent(), X1, 0.0, None),
    "Enumerate, T=0.5": lambda: (Enumerate(CODES), latent(), X1, 0.5, Enumerate(CODES)),
    "Enumerate, weights": lambda: (Enumerate(CODES, torch.arange(5.0)), latent(), X1, 2.0, None),
    "Enumerate, learned": lambda: (Enumerate(nn.Parameter(CODES)), latent(), X1, 0.0, None),
    "Enumerate, grid": lambda: (grid(), plane(), None, 0.5, Conjugate()),
    "Descent": lambda: (descent(), latent(unit_prior()), X1, 0.0, None),
    "Descent, linear": lambda: (descent(), plane(), None, 0.0, Conjugate()),
    "Descent, unconverged": lambda: (descent(steps=2), plane(), None, 0.0, Conjugate()),
    "Amortized, T=0": lambda: (Amortized(net(2, 1)), plane(), None, 0.0, Conjugate()),
    "Amortized, T=0.5": lambda: (
        Amortized(Joined(net(2, 1), net(2, 1)), samples=3),
        plane(),
        None,
        0.5,
        Conjugate(),
    ),
    "Amortized, of x": lambda: (gaussian_encoder(), latent(), X1, 1.0, None),
    "closed form": lambda: (Conjugate(), plane(), None, 0.5, grid()),
}

INFERENCE_EXEMPTIONS = {
    "Descent, unconverged": ({"envelope": False}, "the theorem holds at the minimum only"),
}


@pytest.mark.parametrize("name", INFERENCES)
def test_shipped_inference_keeps_the_laws(name):
    infer, energy, x, temperature, exact = INFERENCES[name]()
    excused, _ = INFERENCE_EXEMPTIONS.get(name, ({}, ""))
    check_inference(infer, energy, x, Y2, temperature=temperature, exact=exact, **excused)


# Samplers: name -> (sampler, the variance it gives a standard normal).
SAMPLERS = {
    "Langevin": lambda: (Langevin(0.2), 1 / 0.9),
    "Langevin, warm": lambda: (Langevin(0.5, temperature=2.0), 2 / 0.75),
    "Langevin, a tensor": lambda: (Langevin(torch.tensor(0.1)), 1 / 0.95),
    "MALA": lambda: (MALA(0.5), 1.0),
    "MALA, rejecting": lambda: (MALA(1.5), 1.0),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_shipped_sampler_keeps_the_laws(name):
    sampler, variance = SAMPLERS[name]()
    check_sampler(sampler, events=((2,), (1, 2, 3)), stationary=True, variance=variance)


@pytest.mark.parametrize("name", SAMPLERS)
def test_shipped_sampler_moves_scalars(name):
    check_sampler(SAMPLERS[name]()[0], events=((),))


@pytest.mark.parametrize("name", SAMPLERS)
def test_shipped_sampler_leaves_a_network_alone(name):
    u = nn.Sequential(net(2, 1), nn.Flatten(0))
    check_sampler(SAMPLERS[name]()[0], u, Y2)


# Losses, each with every kind of negatives: names -> what the energy, x, y and negatives are.
LOSSES = {
    "energy_loss": losses.energy_loss,
    "perceptron": losses.perceptron,
    "log_loss": losses.log_loss,
    "mce": losses.mce,
    "mee": losses.mee,
    "difference": losses.difference,
    "logistic": losses.logistic,
    "Hinge": Hinge(0.7),
    "LVQ2": losses.LVQ2(0.5),
    "SquareSquare": losses.SquareSquare(0.8),
    "SquareExponential": losses.SquareExponential(0.5),
    "InfoNCE": InfoNCE(0.5),
}


def replay():
    return Replay(normal(6, 2, seed=9), MALA(0.1), steps=2, rebirth=0.5)


NEGATIVES = {
    "InBatch": lambda: (embedding(SquaredDistance()), X3, Y3, InBatch()),
    "InBatch, both": lambda: (embedding(), X3, Y3, InBatch(both=True)),
    "Noise": lambda: (MLP(2, x_dim=1, hidden=(4,)), X1, Y2, Noise(Ring(), k=3)),
    "FromData": lambda: (MLP(2, hidden=(4,)), None, Y2, FromData(Langevin(0.05), steps=2)),
    "Replay": lambda: (MLP(2, x_dim=1, hidden=(4,)), X1, Y2, replay()),
}

MOVED = {"exact_gradient": False}, "the chains follow the parameters, and count as constants"
NEGATIVE_EXEMPTIONS = {"FromData": MOVED, "Replay": MOVED}


@pytest.mark.parametrize("kind", NEGATIVES)
@pytest.mark.parametrize("loss", LOSSES)
def test_shipped_loss_and_negatives_keep_the_laws(loss, kind):
    energy, x, y, points = NEGATIVES[kind]()
    excused, _ = NEGATIVE_EXEMPTIONS.get(kind, ({}, ""))
    check_objective(Contrastive(LOSSES[loss], points), energy, x, y, **excused)


VIEWS = (X3, Y3), (X3, Y3)

# Objectives: name -> (objective, energy, x, y).
OBJECTIVES = {
    "Regularized": lambda: (Regularized(), embedding(), X3, Y3),
    "Regularized, VICReg": lambda: (
        Regularized(VICReg(), weight=2.0, energy_weight=0.5),
        embedding(SquaredDistance()),
        X3,
        Y3,
    ),
    "Regularized, views": lambda: (Regularized(VICReg()), embedding(), *VIEWS),
    "Regularized, EMA": lambda: (Regularized(), embedding(target=EMA), X3, Y3),
    "Regularized, Detached": lambda: (Regularized(), embedding(target=Detached), X3, Y3),
    "Regularized, Predicted": lambda: (Regularized(), embedding(Predicted(net(2, 2))), *VIEWS),
    "Regularized, FreeEnergy": lambda: (Regularized(), free(Enumerate(CODES), 0.5), X1, Y2),
    "Regularized, random": lambda: (Regularized(), free(gaussian_encoder(), 1.0), X1, Y2),
    "Contrastive, views": lambda: (Contrastive(InfoNCE(0.5), InBatch(True)), embedding(), *VIEWS),
    "Contrastive, random": lambda: (
        Contrastive(InfoNCE(), InBatch()),
        free(gaussian_encoder(), 1.0),
        X1,
        Y2,
    ),
    "DenoisingScore": lambda: (DenoisingScore(0.3), MLP(2, hidden=(4,)), None, Y2),
    "DenoisingScore, x": lambda: (DenoisingScore(0.3), MLP(2, 1, hidden=(4,)), X1, Y2),
    "DenoisingScore, images": lambda: (DenoisingScore(0.3), ConvNet(1, 2, 1), None, PICTURES[0]),
    "sum on codes": lambda: (
        0.5 * Regularized(VICReg()) + Contrastive(InfoNCE(), InBatch()),
        embedding(target=EMA),
        X3,
        Y3,
    ),
    "sum of all kinds": lambda: (
        2.0 * DenoisingScore(0.3) + Contrastive(Hinge(), Noise(Ring(), k=2)) + Regularized(),
        MLP(2, hidden=(4,)),
        None,
        Y2,
    ),
}

OBJECTIVE_EXEMPTIONS = {
    "Regularized, Detached": ({"exact_gradient": False}, "dynamics: the target moves along"),
    "Regularized, Predicted": ({"exact_gradient": False}, "dynamics: the target moves along"),
    "DenoisingScore": ({"unreached": ("network.2.bias",)}, "a slope lacks the constant"),
    "DenoisingScore, x": ({"unreached": ("network.2.bias",)}, "a slope lacks the constant"),
    "DenoisingScore, images": ({"unreached": ("network.6.bias",)}, "a slope lacks the constant"),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_shipped_objective_keeps_the_laws(name):
    excused, _ = OBJECTIVE_EXEMPTIONS.get(name, ({}, ""))
    check_objective(*OBJECTIVES[name](), **excused)


@pytest.mark.parametrize("name", ENERGY_EXEMPTIONS)
def test_energy_exemption_is_needed(name):
    with pytest.raises((AssertionError, EbmlabError)):
        check_energy(*ENERGIES[name]())


@pytest.mark.parametrize("name", OBJECTIVE_EXEMPTIONS)
def test_objective_exemption_is_needed(name):
    with pytest.raises(AssertionError):
        check_objective(*OBJECTIVES[name]())


@pytest.mark.parametrize("kind", NEGATIVE_EXEMPTIONS)
def test_negative_exemption_is_needed(kind):
    energy, x, y, points = NEGATIVES[kind]()
    with pytest.raises(AssertionError, match="gradient of the value"):
        check_objective(Contrastive(losses.difference, points), energy, x, y)


def test_inference_exemption_is_needed():
    infer, energy, x, temperature, _ = INFERENCES["Descent, unconverged"]()
    with pytest.raises(AssertionError, match="envelope"):
        check_inference(infer, energy, x, Y2, temperature=temperature)


def shipped(module, kind):
    """The concrete public classes of a module."""
    public = [getattr(module, name) for name in module.__all__]
    classes = [c for c in public if isinstance(c, type) and issubclass(c, kind)]
    return {c for c in classes if not getattr(c, "__abstractmethods__", None)}


def parts(modules):
    return {type(part) for module in modules for part in module.modules()}


def test_the_tables_hold_everything_that_is_shipped():
    judged = parts(build()[0] for build in ENERGIES.values())
    assert shipped(energies, Energy) | {FunctionEnergy, Sum, Scaled, Tempered} <= judged
    assert shipped(teachers, nn.Module) <= judged
    inferred = {type(build()[0]) for build in INFERENCES.values()}
    assert shipped(inference, Inference) <= inferred
    assert shipped(inference, Inference) <= judged
    sampled = {type(build()[0]) for build in SAMPLERS.values()}
    assert shipped(samplers, object) - {samplers.MetropolisInfo} <= sampled
    assert set(losses.__all__) - {"MarginLoss", "require_energies"} == set(LOSSES)
    assert shipped(negatives, negatives.Negatives) <= {
        type(build()[-1]) for build in NEGATIVES.values()
    }
    trained = parts(build()[0] for build in OBJECTIVES.values())
    assert shipped(objectives, Objective) <= trained
