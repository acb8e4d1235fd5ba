"""The laws of `ebmlab.testing`, over everything that is shipped, and over what breaks each."""

import math

import pytest
import torch
from torch import nn

from ebmlab.energies import Gaussian, JointEmbedding, Reconstruction
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy, Inference, Posterior
from ebmlab.inference import Amortized, Descent


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X1, X3 = normal(4, 1, seed=1), normal(4, 3, seed=2)
Y2, Y3 = normal(4, 2, seed=3), normal(4, 3, seed=4)
Z1, CODES = normal(4, 1, seed=5), normal(5, 1, seed=6)
PICTURES = normal(3, 1, 4, 4, seed=7), normal(3, 1, 4, 4, seed=8)


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


def gaussian_encoder(samples=1):
    return Amortized(Joined(net(3, 1), net(3, 1)), samples)


def descent(steps=20, step_size=0.1):
    return Descent(torch.tensor([[-1.0], [1.0]]), steps=steps, step_size=step_size)


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


def numbered(rows):
    return [pytest.param(*row, id=f"{row[0]}, {i}") for i, row in enumerate(rows)]


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
