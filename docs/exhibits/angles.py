"""Inferences of one angle z: E(y, z) = ‖y - (2 cos z, 1.5 sin z)‖², the ellipse."""

import torch

from ebmlab import FreeEnergy, energies, inference, networks, samplers
from exhibits.angles_drawn import (
    Found,
    Moved,
    Slopes,
    Weighed,
    slopes,
    solved,
    tangents,
    tried,
    weighed,
)
from exhibits.exhibit import shown

__all__ = ["ANGLES"]


def enumerated() -> Found:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    infer = inference.Enumerate(inference.Circle().atoms(48))
    free, y = FreeEnergy(energy, infer, temperature=0.5), torch.tensor([[0.2, 0.2]])
    return Found(free, y, free.posterior(None, y))


def descent() -> Found:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    starts = torch.tensor([[0.2], [3.4]])
    infer = inference.Descent(starts, steps=40, step_size=0.05)
    free, y = FreeEnergy(energy, infer), torch.tensor([[0.2, 0.2]])
    return Found(free, y, free.posterior(None, y))


def fixed_steps() -> Found:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    starts = torch.tensor([[0.2], [3.4]])
    infer = inference.FixedSteps(0.05, starts, steps=10)
    free, y = FreeEnergy(energy, infer), torch.tensor([[0.2, 0.2]])
    return Found(free, y, free.posterior(None, y))


def lbfgs() -> Found:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    infer = inference.LBFGS(starts=torch.tensor([[0.2], [3.4]]))
    free, y = FreeEnergy(energy, infer), torch.tensor([[0.2, 0.2]])
    return Found(free, y, free.posterior(None, y))


def levenberg_marquardt() -> Found:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    infer = inference.LevenbergMarquardt(starts=torch.tensor([[0.2], [3.4]]))
    free, y = FreeEnergy(energy, infer), torch.tensor([[0.2, 0.2]])
    return Found(free, y, free.posterior(None, y))


def implicit() -> Moved:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    infer = inference.Implicit(inference.LBFGS(starts=torch.tensor([[1.57]])))
    y1 = torch.linspace(-1.5, 1.5, 41)
    y = torch.stack([y1, torch.full_like(y1, 0.3)], 1).requires_grad_()
    z = infer(energy, None, y).atoms[0]
    (slope,) = torch.autograd.grad(z.sum(), y)  # ∂z/∂y of each row
    return Moved(y1, z.detach()[:, 0], slope[:, 0])


def sampled() -> Slopes:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    starts, sampler = (
        inference.Circle().atoms(100),
        samplers.HMC(0.2, leapfrog_steps=5, jitter=0.5),
    )
    infer = inference.Sampled(sampler, steps=40, chains=100, start=starts)
    free, y1 = FreeEnergy(energy, infer, temperature=0.5), torch.linspace(-2.5, 2.5, 41)
    y = torch.stack([y1, torch.full_like(y1, 0.2)], 1).requires_grad_()
    f = free(None, y, rng=torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(f.sum(), y)
    return Slopes(free, y.detach(), slope)


def importance() -> Weighed:
    energy = energies.Reconstruction(networks.Ellipse((2.0, 1.5)), takes_x=False)
    encoder = networks.GaussianHead(torch.nn.Linear(2, 2))
    encoder.network.weight.data.zero_()
    encoder.network.bias.data = torch.tensor([0.5, -0.5])  # N(0.5, exp(-0.5)²) for every y
    y, rng, values = torch.tensor([[0.2, 0.2]]).repeat(2000, 1), torch.Generator(), {}
    for k in (1, 2, 5, 10, 20, 50):
        free = FreeEnergy(energy, inference.ImportanceWeighted(encoder, k), temperature=1.0)
        values[k] = free(None, y, rng=rng.manual_seed(0)).detach()
    return Weighed(energy, free.posterior(None, y[:1], rng=rng), values, (0.5, -0.5))


_READ = (
    "Left: E(y, z) of one y over the angle z; hollow dots are two starts, full ones where they "
    "end. Middle: how far E is above its minimum after each step. Right: F(y), the energy at the "
    "lower of the two ends, and the y of the left. "
)

ANGLES = {
    "Enumerate": shown(
        enumerated,
        tried,
        "Left: E(y, z) over 48 angles and, as stems, the weights q(z) ∝ exp(-E / T) at T = 0.5. "
        "Right: F(y), exact for these atoms: warmth rounds the walls inside the ellipse.",
    ),
    "Descent": shown(
        descent,
        solved,
        _READ + "The step grows while E falls and halves where it would rise, so no step ever "
        "leads up.",
    ),
    "FixedSteps": shown(
        fixed_steps,
        solved,
        _READ + "Ten steps of one size end wherever they end, so F is too high where they do not "
        "suffice; what they do is smooth, and can be differentiated.",
    ),
    "LBFGS": shown(
        lbfgs,
        solved,
        _READ + "Curvature learned on the way makes the last steps superlinear; which minimum is "
        "found depends on the start.",
    ),
    "LevenbergMarquardt": shown(
        levenberg_marquardt,
        solved,
        _READ + "It knows that E is a sum of squares and linearizes what is squared: each step "
        "gains a fixed factor, a better one the nearer y is to the ellipse.",
    ),
    "Implicit": shown(
        implicit,
        tangents,
        "Left: the angle z of lowest energy as y₁ moves at y₂ = 0.3, with tangents of the slope "
        "that `Implicit` gives. Right: that slope against finite differences of z: they agree, "
        "though no step of the solver was kept.",
    ),
    "Sampled": shown(
        sampled,
        slopes,
        "Left: E(y, z) of y = (0.2, 0.2) and where 100 chains of z end, against the exact "
        "q(z) ∝ exp(-E / T) at T = 0.5. Right: the slope of F along y₁, by the chains and by 400 "
        "angles: the value of F stays unknown, its gradient is right up to the chains' noise.",
    ),
    "ImportanceWeighted": shown(
        importance,
        weighed,
        "Left: the exact posterior of z under a standard normal prior, the encoder's Gaussian, "
        "which misses its left part, and the weights of 50 draws. Right: F with more draws: "
        "its mean falls to the exact value, and single estimates (the middle 80%) come closer.",
    ),
}
