"""U-turns in a growing branch, found without recursion: two marks for each level of its tree."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Marks", "Plan", "plan", "straight"]


class Plan(NamedTuple):
    """What the number of a leaf says: where its mark is put, and which marks are looked at.

    The leaves of a branch are numbered in binary, and its subtrees are aligned blocks of 2^k of
    them. A block begins at an even leaf n, whose mark is put at level j, the number of bits of
    n // 2 that are set: so the starts of all blocks that are still open have levels of their own,
    and leaf 0 is at level 0. The last leaf of the first half of a block is marked at the level of
    the block's start, in a second set of levels.

    When a leaf arrives, and before it is marked itself, these spans end at it: the blocks that it
    completes; those from the last leaf of their first half; and, where it begins the second half
    of a block, the one from the start of the block (as in Stan).

    Attributes:
        place: (leaves,), int64.
        looked: (2 levels, leaves), bool.
    """

    place: Tensor
    looked: Tensor


@lru_cache(maxsize=8)
def plan(levels: int, device: torch.device) -> Plan:
    """The plan of branches of 2^levels leaves."""
    leaf, level = torch.arange(2**levels), torch.arange(levels)[:, None]
    odd = leaf % 2 == 1
    top = sum(((leaf >> k) & 1 for k in range(1, levels)), torch.zeros_like(leaf))
    ones = sum((leaf + 1) % 2**k == 0 for k in range(1, levels + 1))
    low = top + 1 - ones  # the level of the largest block that is complete at an odd leaf
    place = torch.where(odd, levels + low, top)
    completed = odd & (level >= low)
    blocks = torch.where(odd, completed & (level <= top), level == top - 1)
    return Plan(place.to(device), torch.cat([blocks, completed & (level < top)]).to(device))


class Marks(NamedTuple):
    """Momenta of marked leaves, and the sums of all momenta before each, (2, 2 levels, d, chains).

    They are one tensor, so that one operation marks a leaf.
    """

    both: Tensor

    @property
    def momentum(self) -> Tensor:
        """(2 levels, d, chains)."""
        return self.both[0]

    @property
    def before(self) -> Tensor:
        """(2 levels, d, chains)."""
        return self.both[1]

    def put(self, place: Tensor, momentum: Tensor, before: Tensor) -> "Marks":
        """The marks with a leaf of each chain, momenta (d, chains), at its place (chains,)."""
        places = torch.arange(self.both.shape[1], device=place.device)
        here = (places[:, None] == place)[:, None]
        new = torch.stack([momentum, before])[:, None]
        return Marks(torch.where(here, new, self.both))

    def ahead(self, looked: Tensor, momentum: Tensor, total: Tensor) -> Tensor:
        """Whether the spans from all marks that are looked at to a last leaf are straight."""
        return (straight(total - self.before, self.momentum, momentum) | ~looked).all(0)


def straight(total: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Whether spans still move apart: Σr · r > 0 at both ends, (..., d, chains) -> (..., chains).

    Source: Betancourt 2013, arXiv:1304.1920; Betancourt 2017, arXiv:1701.02434.
    """
    return torch.minimum((total * first).sum(-2), (total * last).sum(-2)) > 0
