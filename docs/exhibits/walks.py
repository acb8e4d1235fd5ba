"""Samplers on one landscape: two wells 4 nats deep, all chains started in the left one."""

import torch

from ebmlab import energies, run, samplers, warmup
from exhibits.exhibit import shown
from exhibits.walks_drawn import Walk, cooled, particles, walked

__all__ = ["WALKS"]


def langevin() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    chain = run(samplers.Langevin(0.01), u, start, steps=1000, rng=rng, thin=1)
    return Walk(chain.samples, gradients=1000)


def mala() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    chain = run(samplers.MALA(0.05), u, start, steps=1000, rng=rng, thin=1)
    return Walk(chain.samples, gradients=1000, acceptance=chain.acceptance.mean())


def underdamped() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    sampler = samplers.Underdamped(0.15, friction=1.0)
    chain = run(sampler, u, start, steps=1000, rng=rng, thin=1)
    return Walk(chain.samples, gradients=1000)


def hmc() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    sampler = samplers.HMC(0.2, leapfrog_steps=5, jitter=0.2)
    chain = run(sampler, u, start, steps=200, rng=rng, thin=1)
    return Walk(chain.samples, gradients=5 * 200, acceptance=chain.acceptance.mean())


def nuts() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    chain = run(samplers.NUTS(0.25), u, start, steps=150, rng=rng, thin=1)
    gradients = chain.info.leapfrogs.mean()
    return Walk(chain.samples, gradients, acceptance=chain.acceptance.mean())


def chees() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    tuned, state = warmup(samplers.ChEESHMC(), u, start, steps=200, rng=rng)
    steps = 1000 // int(tuned.leapfrog_steps)
    chain = run(tuned, u, state, steps=steps, rng=rng, thin=1)
    gradients = steps * int(tuned.leapfrog_steps)
    return Walk(chain.samples, gradients, acceptance=chain.acceptance.mean())


def elliptical() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    chain = run(samplers.EllipticalSlice(), u, start, steps=300, rng=rng, thin=1)
    evaluations = 300 + chain.info.shrinks.mean()
    return Walk(chain.samples, evaluations, unit="evaluations of u")


def tempering() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    sampler = samplers.ParallelTempering(lambda t: samplers.MALA(0.05 * t), (1, 2, 4))
    chain = run(sampler, u, start, steps=333, rng=rng, thin=1)
    return Walk(chain.samples, gradients=3 * 333, acceptance=chain.acceptance.mean())


def heated() -> Walk:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    sampler = samplers.Heated(samplers.MALA(0.2), temperature=4.0)
    chain = run(sampler, u, start, steps=1000, rng=rng, thin=1)
    return Walk(chain.samples, 1000, acceptance=chain.acceptance.mean(), temperature=4.0)


def annealed() -> torch.Tensor:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([[-1.0, 0.0]]).repeat(200, 1)
    schedule = samplers.geometric(8.0, 0.02, steps=300)
    cooling = samplers.Annealed(lambda t: samplers.MALA(0.05 * t), schedule)
    return run(cooling, u, start, steps=300, rng=rng, thin=1).samples


def svgd() -> tuple[torch.Tensor, torch.Tensor]:
    u, rng = energies.DoubleWell(height=4.0).given(), torch.Generator().manual_seed(0)
    start = torch.tensor([-0.6, 0.0]) + 0.4 * torch.randn(60, 2, generator=rng)
    chain = run(samplers.SVGD(0.05), u, start, steps=500, rng=rng)
    return start, chain.state.y


_READ = (
    "Left: the last stretch of three chains on the landscape. Right: y₁ over the second half of "
    "200 chains, all started in the left well, against the exact density. "
)

WALKS = {
    "Langevin": shown(
        langevin,
        walked,
        _READ + "A thousand small steps cross the barrier less than once a chain: the right well "
        "is still too empty.",
    ),
    "MALA": shown(
        mala,
        walked,
        _READ + "The Metropolis test leaves no bias at any step size, so steps can be five times "
        "those of `Langevin` here: with as many gradients the right well is fuller.",
    ),
    "Underdamped": shown(
        underdamped,
        walked,
        _READ + "Momentum carries a chain across a well in a few steps, and so to the barrier "
        "more often than Langevin's.",
    ),
    "HMC": shown(
        hmc,
        walked,
        _READ + "Each point is the end of a trajectory of five leapfrog steps, far from the "
        "last: only a fast momentum passes the barrier, but such draws come often enough.",
    ),
    "NUTS": shown(
        nuts,
        walked,
        _READ + "Each trajectory doubles until it turns back, so no length had to be chosen. "
        "It pays for that: gradients of dropped branches count, and with as many of them it "
        "crosses no more often than `HMC` of a length that suits this landscape.",
    ),
    "ChEESHMC": shown(
        chees,
        walked,
        _READ + "Warm-up has found the step size, the metric and the number of leapfrog steps; "
        "its gradients are not counted here, though some chains crossed in it.",
    ),
    "EllipticalSlice": shown(
        elliptical,
        walked,
        _READ + "No gradient and nothing to tune: an ellipse of the standard Gaussian passes "
        "through both wells, so a chain jumps over the barrier instead of climbing it.",
    ),
    "ParallelTempering": shown(
        tempering,
        walked,
        _READ + "Replicas at T = 2 and T = 4 cross the barrier and swap what they find down to "
        "T = 1; their gradients are counted.",
    ),
    "Heated": shown(
        heated,
        walked,
        _READ + "At T = 4 the barrier is one T high and chains cross it all the time; they follow "
        "the flatter density of T = 4 (solid), not that of T = 1 (dotted).",
    ),
    "Annealed": shown(
        annealed,
        cooled,
        "Left: y₁ of 30 chains, and the temperature that falls with the steps. Right: where 200 "
        "chains end. Hot chains cross the barrier, cold ones settle: what is left are minima, "
        "not samples of exp(-u).",
    ),
    "SVGD": shown(
        svgd,
        particles,
        "Sixty particles before and after 500 steps, and their y₁ against the exact density. They "
        "spread by repelling each other, with no noise, and few pass the barrier: the left "
        "well is filled, the share of the right one is wrong.",
    ),
}
