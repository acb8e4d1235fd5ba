"""The laws of `ebmlab.testing`, over everything that is shipped, and over what breaks each."""

import math
import random

import pytest
import torch
from torch import nn

from ebmlab import (
    FunctionEnergy,
    energies,
    inference,
    losses,
    negatives,
    objectives,
    samplers,
    teachers,
)
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
from ebmlab.energy import Energy, Scaled, Sum, Tempered
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
from ebmlab.types import Info, Potential, State


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


def descent(steps=20, step_size=0.1):
    return Descent(torch.tensor([[-1.0], [1.0]]), steps=steps, step_size=step_size)


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
    "JointEmbedding, twins": lambda: (JointEmbedding(net(3, 2), net(3, 2)), X3, Y3),
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


class Lowest(nn.Module, Inference):
    """The lowest of CODES for every datum, by a loop."""

    bound = "exact"

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        atom = torch.empty(1, len(y), 1, dtype=y.dtype)
        for i in range(len(y)):
            costs = [energy(x[i : i + 1], y[i : i + 1], z[None].to(y.dtype)) for z in CODES]
            atom[0, i] = CODES[int(torch.cat(costs).argmin())]
        zero = torch.zeros_like(y[:, 0])
        return Posterior(atom, torch.ones_like(zero)[None], zero, zero)


class Solved(nn.Module):
    """The mean and log std of the exact q at temperature T."""

    def __init__(self, energy, temperature):
        super().__init__()
        self.decoder, self.temperature = energy.decoder, temperature

    def forward(self, y):
        energy = Reconstruction(self.decoder, takes_x=False)
        low, high = Conjugate()(energy, None, y, self.temperature).atoms
        return (low + high) / 2, ((high - low) / 2).log()


def solved():
    energy = plane()
    infer = Amortized(Solved(energy, 0.5), samples=16)
    return infer, energy, None, 0.5, Conjugate()


def plane():
    return Reconstruction(nn.Linear(1, 2), takes_x=False)


def grid():
    """Values of z, and the weights of a standard normal prior on them."""
    z = torch.linspace(-6, 6, 601, dtype=torch.float64)[:, None]
    return Enumerate(z.float(), (-0.5 * z[:, 0].square()).exp())


# Inferences: name -> (infer, energy, x, temperature, the exact one or None).
INFERENCES = {
    "Enumerate, T=0": lambda: (Enumerate(CODES), latent(), X1, 0.0, Lowest()),
    "Enumerate, T=0.5": lambda: (Enumerate(CODES), latent(), X1, 0.5, None),
    "Enumerate, weights": lambda: (Enumerate(CODES, torch.arange(5.0)), latent(), X1, 2.0, None),
    "Enumerate, learned": lambda: (Enumerate(nn.Parameter(CODES)), latent(), X1, 0.0, None),
    "Enumerate, grid": lambda: (grid(), plane(), None, 0.5, Conjugate()),
    "Descent": lambda: (descent(), latent(unit_prior()), X1, 0.0, None),
    "Descent, linear": lambda: (descent(), plane(), None, 0.0, Conjugate()),
    "Descent, unconverged": lambda: (descent(8, 1.5), latent(unit_prior()), X1, 0.0, None),
    "Amortized, T=0": lambda: (Amortized(net(2, 1)), plane(), None, 0.0, Conjugate()),
    "Amortized, T=0.5": lambda: (
        Amortized(Joined(net(2, 1), net(2, 1)), samples=3),
        plane(),
        None,
        0.5,
        Conjugate(),
    ),
    "Amortized, exact q": solved,
    "Amortized, of x": lambda: (gaussian_encoder(), latent(), X1, 1.0, None),
    "closed form": lambda: (Conjugate(), plane(), None, 0.5, grid()),
}

INFERENCE_EXEMPTIONS = {
    "Descent, unconverged": ({"envelope": False}, "the theorem holds at the minimum only"),
}


# Where draws are random, their mean keeps its bound to five standard errors, at the fixed seed 0:
# a right one fails at about one seed in 100,000 (four data). The control below is too low.
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


# Two statistics within five standard errors, at the fixed seed 0: a right kernel fails at about
# one seed in 850,000. The negative controls are the kernels of another law below.
@pytest.mark.parametrize("name", SAMPLERS)
def test_shipped_sampler_keeps_the_laws(name):
    sampler, variance = SAMPLERS[name]()
    check_sampler(sampler, stationary=True, variance=variance)


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


# Negative controls: a sound class of each kind, and what breaks it, beside the law that tells.

X2 = normal(4, 2, seed=10)


class Bowl(Energy):
    """E(x, y) = Σ w (y - x)² + c, which keeps every law."""

    def __init__(self):
        super().__init__()
        self.width = nn.Parameter(torch.ones(2))
        self.offset = nn.Parameter(torch.zeros(()))
        self.register_buffer("calls", torch.zeros(()))
        self.count = 0

    def cost(self, x, y):
        return (self.width * (y - x).square()).sum(-1) + self.offset

    def forward(self, x, y, z=None):
        return self.cost(x, y)


def counted(energy):
    energy.count += 1
    return 0.0


class RoughSine(torch.autograd.Function):
    """A sine whose second derivative is lost."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return y.sin()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].detach().cos()


def normalized(y):
    return nn.functional.batch_norm(y.reshape(-1, 2), None, None, training=True).reshape(y.shape)


# (the law, forward(energy, x, y))
BROKEN_FORWARDS = [
    ("batch independence", lambda e, x, y: e.cost(x, normalized(y))),
    ("batch independence", lambda e, x, y: e.cost(x, y) / len(y)),
    ("batch independence", lambda e, x, y: e.cost(x, y.roll(1, 0))),
    ("batch independence", lambda e, x, y: e.cost(x, y).sort(0).values),
    ("all pairs", lambda e, x, y: e.cost(x, y).mT if y.ndim == 3 else e.cost(x, y)),
    ("one number per datum", lambda e, x, y: e.cost(x, y)[..., None]),
    ("one number per datum", lambda e, x, y: e.cost(x, y).mean()),
    ("dtype kept", lambda e, x, y: e.cost(x, y).float()),
    ("input untouched", lambda e, x, y: e.cost(x, y.add_(1.0))),
    ("input untouched", lambda e, x, y: e.cost(x.mul_(2.0), y)),
    ("global generator untouched", lambda e, x, y: e.cost(x, y) + torch.rand(())),
    ("global generator untouched", lambda e, x, y: e.cost(x, nn.functional.dropout(y, 0.1))),
    ("state unmoved", lambda e, x, y: e.cost(x, y) + e.calls.add_(1.0)),
    ("state unmoved", lambda e, x, y: e.cost(x, y) + counted(e)),
    ("no gradient left", lambda e, x, y: (e.cost(x, y).sum().backward(), e.cost(x, y))[1]),
    ("a function", lambda e, x, y: e.cost(x, y) + random.random()),
    ("a function", lambda e, x, y: e.cost(x, y) + (1.0 if x is y else 0.0)),
    ("gradients reach", lambda e, x, y: e.cost(x, y).detach()),
    ("no gradient to width$", lambda e, x, y: (y - x).square().sum(-1) + e.offset),
    ("carries no gradient to y", lambda e, x, y: e.cost(x, y.detach())),
    ("^gradcheck", lambda e, x, y: e.cost(x, y) + y.detach().square().sum(-1)),
    ("^gradcheck", lambda e, x, y: e.cost(x.detach(), y)),
    ("gradgradcheck", lambda e, x, y: e.cost(x, y) + RoughSine.apply(y).sum(-1)),
]


def numbered(rows):
    return [pytest.param(*row, id=f"{row[0]}, {i}") for i, row in enumerate(rows)]


@pytest.mark.parametrize(("law", "forward"), numbered(BROKEN_FORWARDS))
def test_a_broken_forward_is_refused(law, forward):
    class Broken(Bowl):
        def forward(self, x, y, z=None):
            return forward(self, x, y)

    with pytest.raises((AssertionError, ShapeError, GradientError), match=law):
        check_energy(Broken(), X2, Y2)


class Uphill(Potential):
    def value_and_grad(self, y):
        energy, grad = super().value_and_grad(y)
        return energy, -grad


class WrongGradient(Bowl):
    def given(self, x=None, *, y=None, z=None, rng=None):
        return Uphill(lambda free: self(x, free))


class WrongGiven(Bowl):
    def given(self, x=None, *, y=None, z=None, rng=None):
        return Potential(lambda free: 2 * self(x, free))


class WrongEmbed(Bowl):
    def embed(self, x, y):
        return self, x, 2 * y


class Unsaved(Bowl):
    def _save_to_state_dict(self, destination, prefix, keep_vars):
        pass

    def _load_from_state_dict(self, *loading):
        pass


class Stochastic(Bowl):
    stochastic = True

    def forward(self, x, y, z=None, *, rng):
        return self.cost(x, y) + torch.rand((), generator=rng)


class Drifting(Stochastic):
    """Its potential draws on, instead of replaying."""

    def given(self, x=None, *, y=None, z=None, rng=None):
        return Potential(lambda free: self(x, free, rng=rng))


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("given agrees with the call", WrongGiven),
        ("given agrees with the call: the gradient", WrongGradient),
        ("given", Drifting),
        ("embed agrees with the call", WrongEmbed),
        ("state saved and restored", Unsaved),
    ],
)
def test_a_broken_energy_is_refused(law, broken):
    with pytest.raises(AssertionError, match=law):
        check_energy(broken(), X2, Y2)


@pytest.mark.parametrize("sound", [Bowl, Stochastic])
def test_a_sound_energy_passes_and_is_not_changed(sound):
    energy, x, y = sound(), X2.clone(), Y2.clone()
    generator = torch.Generator().manual_seed(3)
    states = generator.get_state(), torch.get_rng_state()
    check_energy(energy, x, y, rng=generator)
    assert torch.equal(x, X2)
    assert torch.equal(y, Y2)
    assert energy.width.dtype == torch.float32
    assert energy.width.grad is None
    assert torch.equal(generator.get_state(), states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_a_parameter_declared_unreached_must_be():
    with pytest.raises(AssertionError, match="declared unreached"):
        check_energy(Bowl(), X2, Y2, unreached=("width",))


def test_the_laws_ask_for_a_batch():
    with pytest.raises(ShapeError, match="n >= 2"):
        check_energy(Bowl(), X2[:1], Y2[:1])


class Weighted(nn.Module, Inference):
    """A sound enumeration at T > 0, whose posterior `change` breaks."""

    bound = "exact"

    def __init__(self, change=None):
        super().__init__()
        self.codes = nn.Parameter(CODES.clone())
        self.calls = 0
        self.change = change

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        q = Enumerate(self.codes)(energy, x, y, abs(temperature), rng=rng)
        if self.change is None and not temperature >= 0:
            raise ConfigurationError("temperature must not be negative")
        return q if self.change is None else self.change(self, q, y)


def called(infer):
    infer.calls += 1


# (the law, change(infer, q, y))
BROKEN_POSTERIORS = [
    ("weights", lambda i, q, y: q._replace(weights=2 * q.weights)),
    ("weights", lambda i, q, y: q._replace(weights=q.weights - 1, energies=None)),
    ("weights", lambda i, q, y: q._replace(weights=q.weights[:, :1].expand(-1, 3))),
    ("information", lambda i, q, y: q._replace(information=q.information - 3)),
    ("information", lambda i, q, y: q._replace(information=q.information.mean())),
    ("residual", lambda i, q, y: q._replace(residual=q.residual - 1)),
    ("atoms", lambda i, q, y: q._replace(atoms=q.atoms[:, :1])),
    ("energies", lambda i, q, y: q._replace(energies=q.energies + 1)),
    ("dtype kept", lambda i, q, y: q._replace(residual=q.residual.float())),
    ("global generator", lambda i, q, y: (torch.rand(()), q)[1]),
    ("input untouched", lambda i, q, y: (y.add_(1.0), q)[1]),
    ("state unmoved", lambda i, q, y: (called(i), q)[1]),
    ("a function", lambda i, q, y: q._replace(residual=q.residual + random.random())),
    (
        "batch independence",
        lambda i, q, y: q._replace(residual=q.residual + y.square().sum()),
    ),
    ("temperature", lambda i, q, y: q),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_POSTERIORS))
def test_a_broken_posterior_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_inference(Weighted(change), latent(), X1, Y2, temperature=0.5)


class Cut(Weighted):
    """The codes are learned, and no gradient reaches them."""

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        with torch.no_grad():
            return super().__call__(energy, x, y, temperature, rng=rng)


class Careless(Weighted):
    """Forgets the temperature of the information."""

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        q = super().__call__(energy, x, y, temperature, rng=rng)
        return q._replace(information=q.information / temperature)


class Optimist(Weighted):
    """Leaves out what z costs, and says upper."""

    bound = "upper"

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        q = super().__call__(energy, x, y, temperature, rng=rng)
        return q._replace(information=torch.zeros_like(q.information))


class Pessimist(Weighted):
    """Counts twice what z costs, and says lower."""

    bound = "lower"

    def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
        q = super().__call__(energy, x, y, temperature, rng=rng)
        return q._replace(information=2 * q.information)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("envelope", Cut),
        ("envelope: the gradient in", Careless),
        ("'exact'", Careless),
        ("'upper'", Optimist),
        ("'lower'", Pessimist),
    ],
)
def test_a_broken_inference_is_refused(law, broken):
    # The value's slope is not at stake in the bounds.
    envelope = law.startswith("envelope")
    with pytest.raises(AssertionError, match=law):
        check_inference(
            broken(), latent(), X1, Y2, temperature=0.5, exact=Weighted(), envelope=envelope
        )


def test_a_sound_inference_passes_and_is_not_changed():
    infer, energy = Weighted(), latent()
    check_inference(infer, energy, X1, Y2, temperature=0.5, exact=Weighted())
    assert torch.equal(infer.codes, CODES)
    assert infer.codes.grad is None


def test_a_random_bound_that_is_too_low_is_refused():
    """Half of the KL term: the mean of 64 draws lies below the exact free energy."""

    class Cheap(Amortized):
        def __call__(self, energy, x, y, temperature=0.0, *, rng=None):
            q = super().__call__(energy, x, y, temperature, rng=rng)
            return q._replace(information=q.information - q.information)

    infer = Cheap(Joined(net(2, 1), net(2, 1)), samples=64)
    with torch.no_grad():
        infer.encoder.nets[1][-1].bias.fill_(-1.0)
    with pytest.raises(AssertionError, match="'upper'"):
        check_inference(infer, plane(), None, Y2, temperature=5.0, exact=Conjugate())


class Kernel:
    """Sound Langevin dynamics at ε = 0.2, whose result `change` breaks."""

    def __init__(self, change=None, noise=1.0):
        self.change, self.noise, self.calls = change, noise, 0

    def init(self, u, y, rng):
        return State(y.detach(), *u.value_and_grad(y))

    def step(self, u, state, rng):
        xi = torch.randn(state.y.shape, generator=rng, dtype=state.y.dtype)
        y = state.y - 0.2 * state.grad + self.noise * math.sqrt(0.4) * xi
        moved, info = State(y, *u.value_and_grad(y)), Info(torch.ones(len(y)))
        return (moved, info) if self.change is None else self.change(self, u, state, moved, info)


def at(u, y):
    return State(y, *u.value_and_grad(y))


def hidden(kernel):
    kernel.calls += 1
    return kernel.calls


def accepting(value):
    return lambda k, u, old, new, info: (new, Info(value(info.acceptance)))


# (the law, change(kernel, u, old state, new state, info))
BROKEN_STEPS = [
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y.flip(0)), i)),
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y - old.y.mean(0)), i)),
    ("rows on their own", lambda k, u, old, new, i: (at(u, new.y.sort(0).values), i)),
    ("input untouched", lambda k, u, old, new, i: (old.y.add_(1.0), (new, i))[1]),
    ("input untouched", lambda k, u, old, new, i: (old.grad.mul_(2.0), (new, i))[1]),
    ("global generator", lambda k, u, old, new, i: (at(u, new.y + torch.rand(())), i)),
    ("same generator, same chain", lambda k, u, old, new, i: (at(u, new.y + hidden(k)), i)),
    ("no gradient left", lambda k, u, old, new, i: (u(new.y).sum().backward(), (new, i))[1]),
    ("state: y was", lambda k, u, old, new, i: (new._replace(y=new.y.double() + 0), i)),
    ("state: y was", lambda k, u, old, new, i: (at(u, new.y[1:]), i)),
    ("state: its energy", lambda k, u, old, new, i: (new._replace(energy=old.energy), i)),
    ("state: its gradient", lambda k, u, old, new, i: (new._replace(grad=old.grad), i)),
    ("state: y carries", lambda k, u, old, new, i: (new._replace(y=u(new.y)[:, None] + new.y), i)),
    ("acceptance", accepting(lambda a: 2 * a)),
    ("acceptance", accepting(lambda a: -a)),
    ("acceptance", accepting(lambda a: a * torch.nan)),
    ("acceptance", accepting(lambda a: a.mean())),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_STEPS))
def test_a_broken_step_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_sampler(Kernel(change), events=((2,),))


class Jumping(Kernel):
    def init(self, u, y, rng):
        return at(u, y + 1.0)


def test_an_init_that_moves_is_refused():
    with pytest.raises(AssertionError, match="init"):
        check_sampler(Jumping(), events=((2,),))


@pytest.mark.parametrize(
    ("law", "sampler", "variance"),
    [
        ("expected variance", Kernel(noise=math.sqrt(0.5)), 1 / 0.9),
        ("expected variance", Kernel(noise=1.1), 1 / 0.9),
        ("expected variance", Langevin(0.2), 1.0),
        ("expected mean", Kernel(lambda k, u, old, new, i: (at(u, new.y + 0.02), i)), 1 / 0.9),
        ("no chain ever moved", Kernel(lambda k, u, old, new, i: (old, i)), 1.0),
    ],
)
def test_a_kernel_of_another_law_is_refused(law, sampler, variance):
    with pytest.raises(AssertionError, match=law):
        check_sampler(sampler, events=((2,),), stationary=True, variance=variance)


def test_a_sound_kernel_passes_and_leaves_its_start():
    y, u = Y2.clone(), nn.Sequential(net(2, 1), nn.Flatten(0))
    check_sampler(Kernel(), stationary=True, variance=1 / 0.9)
    check_sampler(Kernel(), u, y)
    assert torch.equal(y, Y2)
    assert all(p.grad is None for p in u.parameters())


def test_coupled_chains_pass_where_declared():
    swarm = Kernel(lambda k, u, old, new, i: (at(u, new.y - old.y.mean(0)), i))
    check_sampler(swarm, events=((2,),), coupled=True)


def test_a_potential_without_a_start_is_refused():
    with pytest.raises(ConfigurationError, match="belong together"):
        check_sampler(Kernel(), lambda y: y.sum(-1))


class Clock(Stepped):
    def __init__(self):
        super().__init__()
        self.register_buffer("time", torch.zeros(()))

    def step(self):
        self.time += 1


class Pull(Objective):
    """The energy loss, sound, whose `Loss` `change` breaks."""

    def __init__(self, change=None):
        super().__init__()
        self.clock, self.change, self.count = Clock(), change, 0

    def forward(self, energy, x, y, rng):
        value = energy(x, y).mean()
        loss = Loss(value, {"pull": value.detach()}, {"e_pos": value.detach()})
        return loss if self.change is None else self.change(self, energy, x, y, loss)


def worth(value):
    return Loss(value, {"pull": value.detach()}, {})


def ticked(objective):
    objective.clock.time += 1


def kept(objective):
    objective.count += 1


# (the law, change(objective, energy, x, y, loss))
BROKEN_LOSSES = [
    (
        "^terms: the sum",
        lambda o, e, x, y, loss: loss._replace(terms={"pull": 2 * loss.value.detach()}),
    ),
    ("terms and metrics", lambda o, e, x, y, loss: loss._replace(terms={"pull": loss.value})),
    ("terms and metrics", lambda o, e, x, y, loss: loss._replace(metrics={"gap": 1.0})),
    ("value: expected a scalar", lambda o, e, x, y, loss: worth(e(x, y))),
    ("value: expected a finite", lambda o, e, x, y, loss: worth(loss.value * torch.nan)),
    ("value: it carries no graph", lambda o, e, x, y, loss: worth(loss.value.detach())),
    ("no gradient to width$", lambda o, e, x, y, loss: worth(e.offset + y.sum())),
    ("global generator", lambda o, e, x, y, loss: worth(loss.value + torch.rand(()))),
    ("same generator", lambda o, e, x, y, loss: worth(loss.value + random.random())),
    ("input untouched", lambda o, e, x, y, loss: (y.add_(1.0), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (ticked(o), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (kept(o), loss)[1]),
    ("state unmoved", lambda o, e, x, y, loss: (e.calls.add_(1.0), loss)[1]),
    ("no gradient left", lambda o, e, x, y, loss: (e(x, y).sum().backward(), loss)[1]),
    ("batch order", lambda o, e, x, y, loss: worth(e(x, y)[0])),
    (
        "commit steps every Stepped once",
        lambda o, e, x, y, loss: loss._replace(commit=o.clock.step),
    ),
    (
        "state saved and restored",
        lambda o, e, x, y, loss: loss._replace(commit=lambda: kept(o)),
    ),
    (
        "gradient of the value",
        lambda o, e, x, y, loss: worth(loss.value + e(x, y).detach().mean()),
    ),
    ("dtype kept", lambda o, e, x, y, loss: loss._replace(value=loss.value.float())),
]


@pytest.mark.parametrize(("law", "change"), numbered(BROKEN_LOSSES))
def test_a_broken_loss_is_refused(law, change):
    with pytest.raises(AssertionError, match=law):
        check_objective(Pull(change), Bowl(), X2, Y2)


class NoMultiple(Pull):
    def __rmul__(self, weight):
        return self


class NoSum(Pull):
    def __add__(self, other):
        return self


class Rushing(Pull):
    """Steps in forward."""

    def forward(self, energy, x, y, rng):
        self.clock.step()
        return super().forward(energy, x, y, rng)


class Forgetting(Pull):
    """Its commit does nothing."""

    def __call__(self, energy, x, y, rng=None):
        return super().__call__(energy, x, y, rng)._replace(commit=lambda: None)


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("multiples and sums: 2", NoMultiple),
        ("multiples and sums: objective", NoSum),
        ("state unmoved", Rushing),
        ("expected 1, but .* stepped 0 times", Forgetting),
    ],
)
def test_a_broken_objective_is_refused(law, broken):
    with pytest.raises(AssertionError, match=law):
        check_objective(broken(), Bowl(), X2, Y2)


def test_a_sound_objective_passes_and_moves_nothing():
    objective, energy = Pull(), Bowl()
    check_objective(objective, energy, X2, Y2)
    assert objective.clock.time == 0
    assert torch.equal(energy.width, torch.ones(2))
    assert energy.width.grad is None
