"""Branches of a no-U-turn tree: leaf by leaf, for all chains at once, each until it turns."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import select
from ebmlab.samplers._steps.leapfrog import DIVERGENT, Phase, kinetic, leap
from ebmlab.samplers.metric import Metric
from ebmlab.types import Potential, State

__all__ = ["Branch", "flat", "grow", "patience", "straight"]


class Branch(NamedTuple):
    """Leapfrog steps that go on from one end of a trajectory; (chains,) unless said otherwise.

    Attributes:
        end: its last leaf, a `Phase`.
        first: the momentum of its first leaf, (chains, d).
        total: the sum of its momenta, (chains, d).
        draw: a leaf with probability ∝ exp(-H), a `State`.
        log_weight: log Σ exp(H₀ - H) over its leaves, H₀ that of the trajectory's origin.
        valid: whether it is whole, so that it may join the trajectory: no part of it makes a
            U-turn, no leaf diverges.
        gain: H₀ - H at the last leaf that was grown.
        acceptance: Σ min(1, exp(H₀ - H)) over its leaves.
        leapfrogs: how many leaves were grown.
    """

    end: Phase
    first: Tensor
    total: Tensor
    draw: State
    log_weight: Tensor
    valid: Tensor
    gain: Tensor
    acceptance: Tensor
    leapfrogs: Tensor


def grow(
    u: Potential,
    metric: Metric,
    home: Phase,
    edge: Phase,
    step: Tensor,
    growing: Tensor,
    leaves: int,
    rng: torch.Generator,
) -> Branch:
    """Grow a branch of each chain, until it is whole, turns or diverges.

    Trajectories began at `home`, beside which chains that have stopped are evaluated, and go on
    from `edge` by a step of each chain, negative into the past, shaped to meet y. `leaves`, a
    power of two, make a branch whole. Nothing is said of chains that are not `growing`. rng gives
    one number for each chain and leaf, whoever has stopped.
    """
    end, alive, draw, turns = edge, growing, home.state, _Turns(flat(home.momentum))
    rest = kinetic(home.momentum)
    gain = acceptance = leapfrogs = torch.zeros_like(rest)
    log_weight = torch.full_like(rest, -torch.inf)
    for leaf in range(leaves):
        end = leap(u, metric, select(alive, end, home), step)
        # Energies are subtracted first, so that a common offset costs no precision.
        fall = (home.energy - end.energy) + (rest - kinetic(end.momentum))
        fall = fall.masked_fill(end.energy.isneginf(), torch.inf)
        gain = torch.where(alive, fall, gain)
        leapfrogs = leapfrogs + alive
        sound = alive & (fall > -DIVERGENT)
        weight = torch.where(sound, fall, -torch.inf)
        acceptance = acceptance + weight.clamp(max=0).exp()
        log_weight = torch.logaddexp(log_weight, weight)
        draw = select(weight >= log_weight - patience(weight, rng), end.state, draw)
        alive = sound & turns.none_up_to(leaf, flat(end.momentum))
        if not alive.any():
            break
    # A leaf at -∞ joins in any case, so that whoever watches the chain sees it.
    valid = alive | log_weight.isposinf()
    spans = turns.first, turns.total
    return Branch(end, *spans, draw, log_weight, valid, gain, acceptance, leapfrogs)


class _Mark(NamedTuple):
    """A leaf's momentum, and the sum of those before it in the branch, both (chains, d)."""

    momentum: Tensor
    before: Tensor


class _Turns:
    """Watches all subtrees of a branch for U-turns, with two marks per level of the tree.

    The leaves of a branch are numbered in binary, and its subtrees are aligned blocks of 2^k of
    them. When leaf n arrives, the blocks that it completes begin at the marks on top of the pile,
    and so do the spans across the two halves of a block that have to be straight as well: from the
    last leaf of the first half to the end of the block, and from its start to the first leaf of
    the second half (as in Stan).
    """

    def __init__(self, like: Tensor) -> None:
        self.first = self.total = torch.zeros_like(like)
        self._pile: list[_Mark] = []
        self._previous: list[_Mark] = []

    def none_up_to(self, leaf: int, momentum: Tensor) -> Tensor:
        """Add a leaf; whether all the spans that end at it are straight, (chains,)."""
        here = _Mark(momentum, self.total)
        self.total = self.total + momentum
        if leaf == 0:
            self.first, self._pile = momentum, [here]
            passed = torch.ones_like(momentum[:, 0], dtype=torch.bool)
        else:
            completed = (~leaf & (leaf + 1)).bit_length() - 1
            spans = self._pile[-max(1, 2 * completed - 1) :]
            starts = torch.stack([mark.momentum for mark in spans])
            sums = self.total - torch.stack([mark.before for mark in spans])
            passed = straight(sums, starts, momentum)
            if completed:
                del self._pile[len(self._pile) - 2 * (completed - 1) :]
            else:
                self._pile += [*self._previous, here]
        self._previous = [here]
        return passed


def straight(total: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Whether all spans (spans, chains, d) still move apart: Σr · r > 0 at both ends, (chains,).

    Source: Betancourt 2013, arXiv:1304.1920; Betancourt 2017, arXiv:1701.02434.
    """
    least = torch.minimum((total * first).sum(-1), (total * last).sum(-1))
    return (least > 0).all(0)


def flat(momentum: Tensor) -> Tensor:
    """Momenta (chains, *event) as vectors (chains, d)."""
    return momentum.reshape(len(momentum), -1)


def patience(like: Tensor, rng: torch.Generator) -> Tensor:
    """-log U with U uniform: an event of probability p < 1 happens where -log p is no more."""
    return torch.empty_like(like).exponential_(generator=rng)
