"""The laws of `ebmlab.testing`, over everything that is shipped, and over what breaks each."""

import pytest
import torch
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab.energies import Assignment, Gaussian, JointEmbedding, Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy, Inference, Posterior
from ebmlab.inference import Amortized, Clustered, Descent, Sinkhorn
from ebmlab.networks import Memory, Prototypes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X1, X3 = normal(4, 1, seed=1), normal(4, 3, seed=2)
Y2, Y3 = normal(4, 2, seed=3), normal(4, 3, seed=4)
Z1, CODES = normal(4, 1, seed=5), normal(5, 1, seed=6)
LABELS, SHARES = torch.tensor([1, 0, 1, 0]), normal(4, 3, seed=12).softmax(-1)
WHICH, NUMBERS = torch.tensor([2, 0, 1, 2]), torch.tensor([2, 0, 1, 3])
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


class Conjugate(Inference):
    """The exact q of E = ‖w z + b - y‖² with z ~ N(0, 1), as two atoms that match its moments."""

    bound = "exact"

    def choose(self, energy, x, y, temperature, rng):
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


class Pairs(nn.Module):
    """Σ_i h_i(y)·z_i + Σ_{i<j} z_iᵀ J_ij z_j of z (parts, codes)."""

    def __init__(self, parts=3, codes=2, coupling=0.5):
        super().__init__()
        self.parts, self.codes = parts, codes
        self.field = net(2, parts * codes)
        table = coupling * normal(parts, codes, parts, codes, seed=11)
        self.coupling = nn.Parameter(table)

    def forward(self, y, z):
        field = self.field(y).unflatten(-1, (self.parts, self.codes))
        later = torch.ones(self.parts, self.parts).triu(1)
        table = self.coupling * later[:, None, :, None].to(y)
        return (field * z).sum((-2, -1)) + torch.einsum("nik,ikjl,njl->n", z, table, z)


def pairs(**sizes):
    return FunctionEnergy(Pairs(**sizes), ("y", "z"), z_ndim=2)


def all_codes(parts=3, codes=2):
    """Every z (parts, codes), one-hot in each part."""
    index = torch.cartesian_prod(*[torch.arange(codes)] * parts).reshape(-1, parts)
    return nn.functional.one_hot(index, codes).float()


def clusters():
    """E(x, y, z) of X2 and Y2, z one of three clusters."""
    return Assignment(Prototypes(2, 3), 0.5)


def queued():
    """Balanced clusters of a batch and a full queue."""
    queue = Memory(5, 2)
    queue.push(normal(5, 2, seed=13))
    return Sinkhorn(0.5, memory=queue)


def clustered():
    """Clusters of stored codes, and their energy."""
    centers = Prototypes(2, 3)
    return Clustered(centers, Memory(8, 2), every=2), Assignment(centers, 0.5)


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
