"""E(y) - E(y') for every y' that differs from y at one site."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ebmlab._events import sound
from ebmlab._precise import precise
from ebmlab._randomness import replayed
from ebmlab.energy import Energy
from ebmlab.samplers.discrete import StateSpace
from ebmlab.types import Rng, Tree

__all__ = ["falls"]

# Entries of y' that are evaluated, and kept for the gradient, at a time.
MOST = 2**22


def falls(energy: Energy, x: Tree, y: Tensor, space: StateSpace, rng: Rng) -> Tensor:
    """E(x, y) - E(x, y') for each change of one site, (b, *sites, m) with m changes of a site.

    By the energy's `site_energies`, or else by one call on all y'. Where these are many, they are
    evaluated in parts, each again when its gradient is taken, so that memory stays bounded. An
    energy that is stochastic is asked with the same random numbers each time.

    Example:
        >>> from ebmlab.energies import Bernoulli
        >>> from ebmlab.samplers import Binary
        >>> falls(Bernoulli(torch.tensor([1.0, 3.0])), None, torch.eye(2), Binary(), None).mT
        tensor([[[-1.,  3.]],
        <BLANKLINE>
                [[ 1., -3.]]])
    """
    costs = energy.site_energies(x, y)
    if costs is not None:
        return space.falls(y, precise(costs))
    replay = replayed(rng, type(energy).__name__) if energy.stochastic else _none

    def changed(index: Tensor) -> Tensor:
        return energy(x, space.neighbors(y, index), rng=replay())

    sites, others = space.sites(y), space.others(y)
    parts = torch.arange(sites.numel() * others, device=y.device).split(_size(y))
    if len(parts) == 1:
        e_near = changed(parts[0])
    else:
        kept: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}
        e_near = torch.cat([checkpoint(changed, part, **kept) for part in parts])
    e_pos = energy(x, y, rng=replay())
    return (sound(e_pos, e_pos) - e_near).mT.reshape(len(y), *sites, others)


def _size(y: Tensor) -> int:
    """How many changes of a batch to evaluate at a time."""
    return max(1, MOST // max(1, y.numel()))


def _none() -> None:
    return None
