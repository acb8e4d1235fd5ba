"""Samplers of discrete y: an Ising model whose law is summed exactly, and texts."""

import torch

from ebmlab import energies, run, samplers
from exhibits.exhibit import shown
from exhibits.lattices_drawn import Spins, magnetized, written

__all__ = ["LATTICES"]


def gibbs() -> Spins:
    ising, rng = energies.Ising((4, 4), coupling=0.4), torch.Generator().manual_seed(0)
    sampler = samplers.Gibbs(samplers.Coloring(ising.colors))
    chain = run(sampler, ising.given(), torch.zeros(200, 4, 4), steps=300, rng=rng, thin=1)
    return Spins(ising, chain.samples, gradients=2 * 300)


def with_gradients() -> Spins:
    ising, rng = energies.Ising((4, 4), coupling=0.4), torch.Generator().manual_seed(0)
    sampler, start = samplers.GibbsWithGradients(), torch.zeros(200, 4, 4)
    chain = run(sampler, ising.given(), start, steps=600, rng=rng, thin=1)
    return Spins(ising, chain.samples, gradients=600)


def discrete_langevin() -> Spins:
    ising, rng = energies.Ising((4, 4), coupling=0.4), torch.Generator().manual_seed(0)
    sampler, start = samplers.DiscreteLangevin(step_size=0.6), torch.zeros(200, 4, 4)
    chain = run(sampler, ising.given(), start, steps=600, rng=rng, thin=1)
    return Spins(ising, chain.samples, gradients=600)


def masked_gibbs() -> torch.Tensor:
    def u(y: torch.Tensor) -> torch.Tensor:  # 1.5 for each change of token along the text
        return 1.5 * (y.diff(dim=1) != 0).sum(1)

    def conditional(y: torch.Tensor, site: int) -> torch.Tensor:
        beside = [y[:, t, None] for t in (site - 1, site + 1) if 0 <= t < 8]
        return 1.5 * sum((token == torch.arange(3)).float() for token in beside)

    start = torch.zeros(200, 8, dtype=torch.long)
    rng = torch.Generator().manual_seed(0)
    return run(samplers.MaskedGibbs(conditional), u, start, steps=60, rng=rng, thin=1).samples


_READ = (
    "Left: the magnetization (mean spin) of three of 200 chains on a 4 × 4 Ising model, all "
    "started with every spin down; middle: where nine chains end; right: its law over the second "
    "half against all 65 536 states. "
)

LATTICES = {
    "Gibbs": shown(
        gibbs,
        magnetized,
        _READ + "A sweep draws one color of the checkerboard, then the other, and rejects "
        "nothing: a step moves many spins, and chains turn over again and again.",
    ),
    "GibbsWithGradients": shown(
        with_gradients,
        magnetized,
        _READ + "One spin changes at a time, chosen by the gradient: a step moves little, but "
        "costs one gradient however large the lattice.",
    ),
    "DiscreteLangevin": shown(
        discrete_langevin,
        magnetized,
        _READ + "All spins may change in one step; the step size keeps most of them, and the "
        "Metropolis test makes the law exact.",
    ),
    "MaskedGibbs": shown(
        masked_gibbs,
        written,
        "Left: a text of eight tokens (three colors) over 60 sweeps, each site drawn anew given "
        "all others. Right: how often neighbors differ, over 200 chains, against all 6561 texts.",
    ),
}
