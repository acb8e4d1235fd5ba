"""Inferences that guess, store, quantize or project: z of points of the plane."""

import torch
from torch import nn

from ebmlab import FreeEnergy, FunctionEnergy, Method, data, energies, fit, inference, networks
from ebmlab.objectives import Regularized
from exhibits.encoders_drawn import (
    Before,
    Cells,
    Guessed,
    Joined,
    cells,
    guessed,
    joined,
    pairwise,
    quantized,
)
from exhibits.exhibit import shown

__all__ = ["ENCODERS"]


def amortized() -> Guessed:
    y, rng = data.ellipse(200, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    energy.requires_grad_(False)
    free = FreeEnergy(energy, inference.Amortized(networks.MLP(2, 1, (32, 32))))
    fit(Method(free, Regularized()), (None, y), steps=400, rng=rng, lr=1e-2)
    return Guessed({"encoder": free}, y)


def refined() -> Guessed:
    y, rng = data.ellipse(200, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    energy.requires_grad_(False)
    encoder = networks.MLP(2, 1, (32, 32))
    guess = FreeEnergy(energy, inference.Amortized(encoder))
    fit(Method(guess, Regularized()), (None, y), steps=60, rng=rng, lr=1e-2)
    better = FreeEnergy(energy, inference.Refined(encoder, inference.LBFGS(tolerance=1e-3)))
    return Guessed({"encoder": guess, "refined": better}, y)


def amortized_categorical() -> Cells:
    y, rng = data.ellipse(400, torch.Generator().manual_seed(0)), torch.Generator().manual_seed(1)
    decoder = nn.Linear(8, 2, bias=False).requires_grad_(False)
    decoder.weight.data = networks.Ellipse((2.0, 1.5))(inference.Circle().atoms(8)).detach().T
    energy = energies.Reconstruction(decoder, takes_x=False)
    encoder = networks.MLP(2, 8, (32, 32))
    free = FreeEnergy(energy, inference.AmortizedCategorical(encoder), temperature=0.1)
    fit(Method(free, Regularized()), (None, y), steps=400, rng=rng, lr=1e-2)
    return Cells(encoder, decoder.weight.T, y)


def nearest() -> Before:
    y = data.toys.eight_gaussians(300, torch.Generator().manual_seed(0))
    infer = inference.Nearest(0.3 * torch.randn(8, 2), decay=0.0, restart=None)
    free = FreeEnergy(energies.Reconstruction(nn.Identity(), takes_x=False), infer)
    first = infer.codebook.codes.clone()
    for _ in range(20):
        free.update(None, y)  # what a commit does: each code goes to the mean of its y
    return Before(y, first, infer.codebook.codes)


def stored() -> Joined:
    y, x = data.ellipse(24, torch.Generator().manual_seed(0)), torch.arange(24)
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False, x_ndim=0)
    energy.requires_grad_(False)
    infer = inference.Stored(torch.randn(24, 1))
    free = FreeEnergy(energy, infer)
    first = energy.decode(None, infer(energy, x, y).atoms[0]).detach()
    fit(Method(free, Regularized()), (x, y), steps=100, rng=torch.Generator(), lr=0.1)
    return Joined(
        y, {"start": first, "trained": energy.decode(None, infer(energy, x, y).atoms[0])}
    )


def projected() -> Joined:
    decoder = nn.Linear(1, 2, bias=False)
    decoder.weight.data = torch.tensor([[1.0], [0.6]])
    energy = energies.Reconstruction(decoder, takes_x=False)
    y = 5 * torch.rand(25, 2, generator=torch.Generator().manual_seed(0)) - 2.5
    free = FreeEnergy(energy, inference.Projected())
    nearest = energy.decode(None, free.posterior(None, y).atoms[0])
    return Joined(y, {"$y$ and $Wz$": nearest}, free)


def product() -> Joined:
    def cost(y: torch.Tensor, center: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        return (y - center - torch.cat([angle.cos(), angle.sin()], 1)).square().sum(1)

    energy = FunctionEnergy(cost, ("y", "z"), z_ndim=(1, 1))
    centers = torch.tensor([[-1.5, -0.8], [1.5, -0.8], [0.0, 1.4]])
    angles = inference.LBFGS(starts=inference.Circle().atoms(3))
    free = FreeEnergy(energy, inference.Product(inference.Enumerate(centers), angles))
    y = 5 * torch.rand(25, 2, generator=torch.Generator().manual_seed(1)) - 2.5
    center, angle = (part[0] for part in free.posterior(None, y).atoms)
    return Joined(y, {"$y$ and its $z$": center + torch.cat([angle.cos(), angle.sin()], 1)}, free)


ENCODERS = {
    "Amortized": shown(
        amortized,
        guessed,
        "Left: the angle that the encoder gives each of 200 y on the ellipse. Middle: how far E "
        "at the guess is above the minimum over z. Right: F(y) under the encoder: nearly right "
        "where data were, and wrong at the one angle where the encoder must jump by 2π.",
    ),
    "Refined": shown(
        refined,
        guessed,
        "Left: the angle of a hardly trained encoder, and after LBFGS has gone on from there. "
        "Middle: how far E is above its minimum over z, before and after. Right: F(y) refined: "
        "a guess on the wrong side of a hill ends in the wrong valley.",
    ),
    "AmortizedCategorical": shown(
        amortized_categorical,
        cells,
        "Which of eight codes the trained encoder takes at each y (left), and which is truly of "
        "lowest energy (right); crosses are what the codes decode to, dots the data. The "
        "encoder's borders are a little off, and where no data are nothing teaches it.",
    ),
    "Nearest": shown(
        nearest,
        quantized,
        "F(y), the squared distance to the nearest of eight codes (crosses), before and after 20 "
        "commits, each of which moves every code to the mean of the data it stands for. Two "
        "codes are never the nearest and stay idle in the middle (`restart` would move them), so "
        "others stand for two blobs at once.",
    ),
    "Stored": shown(
        stored,
        joined,
        "Each y (dot) and what its own row of the table decodes to (end of its line), at the "
        "start and after 100 steps. There is no encoder: every row follows the slope of its own "
        "energy.",
    ),
    "Projected": shown(
        projected,
        pairwise,
        "Left: some y (dots) and the nearest points Wz of a line. Right: F(y), the squared "
        "distance from that line: the energy of PCA.",
    ),
    "Product": shown(
        product,
        pairwise,
        "z is a center, enumerated, and an angle, searched for at each center. Left: some y "
        "(dots) and the nearest points of the three circles. Right: F(y), the minimum over both "
        "parts.",
    ),
}
