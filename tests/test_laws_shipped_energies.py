import pytest
import torch
from laws_support import (
    CODES,
    PICTURES,
    X1,
    X3,
    Y2,
    Y3,
    Z1,
    Joined,
    descent,
    embedding,
    free,
    gaussian_encoder,
    latent,
    net,
    normal,
    unit_prior,
)
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab.energies import (
    MLP,
    RBM,
    Banana,
    Bernoulli,
    Constant,
    ConvNet,
    Cosine,
    CrossEntropy,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    Hopfield,
    Ising,
    JointEmbedding,
    ModernHopfield,
    Potts,
    Predicted,
    Reconstruction,
    Ring,
    SquaredDistance,
    Uniform,
)
from ebmlab.errors import EbmlabError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import (
    L1,
    LBFGS,
    Amortized,
    Enumerate,
    Implicit,
    LevenbergMarquardt,
    Proximal,
)
from ebmlab.teachers import EMA, Detached
from ebmlab.testing import check_energy


def point_encoder():
    return Amortized(Joined(net(3, 1)))


# Energies: name -> (energy, x, y, z).
ENERGIES = {
    "Gaussian": lambda: (Gaussian(torch.ones(2), torch.eye(2) + 0.5), None, Y2),
    "GaussianMixture": lambda: (GaussianMixture(normal(3, 2), 0.7), None, Y2),
    "Uniform": lambda: (Uniform(-torch.ones(2), torch.ones(2)), None, Y2),
    "DoubleWell": lambda: (DoubleWell(), None, Y2),
    "Ring": lambda: (Ring(), None, Y2),
    "Banana": lambda: (Banana(), None, Y2),
    "Funnel": lambda: (Funnel(dim=3), None, Y3),
    "Bernoulli": lambda: (Bernoulli(normal(3)), None, Y3),
    "Ising": lambda: (Ising((3, 4), 0.3, normal(3, 4)), None, normal(4, 3, 4, seed=3)),
    "Ising, learned": lambda: (
        Ising((2, 3), nn.Parameter(torch.tensor(0.3)), nn.Parameter(normal(2, 3))),
        None,
        normal(4, 2, 3, seed=3),
    ),
    "Potts": lambda: (Potts((2, 3), 3, 0.3, normal(2, 3, 3)), None, normal(4, 2, 3, 3, seed=3)),
    "Hopfield": lambda: (Hopfield(nn.Parameter(normal(3, 3)), normal(3)), None, Y3),
    "ModernHopfield": lambda: (ModernHopfield(nn.Parameter(normal(5, 3)), 2.0), None, Y3),
    "RBM": lambda: (RBM(3, 2, std=1.0), None, Y3),
    "JointRBM": lambda: (RBM(2, 1, std=1.0).joint(), None, Y2, Z1),
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
    "FreeEnergy, LBFGS": lambda: (
        FreeEnergy(latent(unit_prior()), LBFGS(torch.tensor([[-1.0], [1.0]]))),
        X1,
        Y2,
    ),
    "FreeEnergy, LevenbergMarquardt": lambda: (
        FreeEnergy(latent(), LevenbergMarquardt(torch.tensor([[-1.0], [1.0]]))),
        X1,
        Y2,
    ),
    "FreeEnergy, Proximal": lambda: (
        FreeEnergy(latent(L1(0.3)), Proximal(torch.tensor([[-1.0], [1.0]]), tolerance=1e-6)),
        X1,
        Y2,
    ),
    "FreeEnergy, Implicit": lambda: (
        FreeEnergy(latent(unit_prior()), Implicit(LBFGS(torch.tensor([[-1.0], [1.0]])))),
        X1,
        Y2,
    ),
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
    "FreeEnergy, LBFGS": ({"second": False}, "the same"),
    "FreeEnergy, LevenbergMarquardt": ({"second": False}, "the same"),
    "FreeEnergy, Proximal": ({"second": False}, "the same"),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_shipped_energy_keeps_the_laws(name):
    excused, _ = ENERGY_EXEMPTIONS.get(name, ({}, ""))
    check_energy(*ENERGIES[name](), **excused)


@pytest.mark.parametrize("name", ENERGY_EXEMPTIONS)
def test_energy_exemption_is_needed(name):
    with pytest.raises((AssertionError, EbmlabError)):
        check_energy(*ENERGIES[name]())
