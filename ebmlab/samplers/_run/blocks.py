"""Blocks of transitions: step by step, or several compiled into one call."""

import dataclasses
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import mapped
from ebmlab.kernels.compiled import program
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Potential

__all__ = ["Block", "Compiled", "Stepwise", "Tally"]


class Tally(NamedTuple):
    """What is summed over steps: the kernel's record, and energies, in which NaN survives."""

    info: Any
    energy: Tensor
    lowest: Tensor

    def joined(self, other: "Tally | None") -> "Tally":
        if other is None:
            return self
        info = mapped(torch.add, self.info, other.info)
        lowest = torch.minimum(self.lowest, other.lowest)
        return Tally(info, self.energy + other.energy, lowest)


class Block(NamedTuple):
    """A state after some steps, their tally, and each step's y and energy where asked for."""

    state: Any
    tally: Tally
    ys: Tensor
    energies: Tensor


class Stepwise:
    """One step at a time."""

    length = 1

    def __init__(self, kernel: Kernel, u: Potential) -> None:
        self.kernel, self.u = kernel, u

    def advance(self, state: Any, rng: torch.Generator) -> Block:
        state, info = self.kernel.step(self.u, state, rng)
        tally = Tally(info, state.energy, state.energy)
        return Block(state, tally, state.y[None], state.energy[None])


class Compiled:
    """Several moves of a kernel in one compiled program; their noise is drawn outside, by rng.

    Args:
        kernel: the moves.
        u: what they sample; programs are kept with what it was made from.
        keep: whether every y and energy on the way is wanted.
    """

    def __init__(self, kernel: Kernel, u: Potential, *, keep: bool) -> None:
        self.kernel, self.u, self.keep = kernel.traced(), u, keep
        self.length = kernel.block
        self.replay: Callable[[Any], Block | None] | None = None

    def advance(self, state: Any, rng: torch.Generator) -> Block:
        noise = mapped(_stacked, *[self.kernel.draw(state, rng) for _ in range(self.length)])
        moving = state, noise
        block = self.replay(moving) if self.replay is not None else None
        if block is not None:
            return block
        key = (_shape(self.kernel), _shape(state.y), self.length, self.keep)
        moves = program(_moves, self.u.origin, key)
        block = moves(self.kernel, self.u, state, noise, self.length, self.keep)
        self.replay = moves.replay(moving, block)
        return block


def _stacked(*draws: Tensor) -> Tensor:
    first = draws[0]
    if len(draws) == 1:
        return first[None]
    if first.ndim == 2 and first.mT.is_contiguous():  # laid out coordinate by coordinate
        return torch.stack([draw.mT for draw in draws]).mT
    return torch.stack(draws)


def _shape(part: Any) -> Hashable:
    """What of a configuration is compiled into a program: all but the values of tensors."""
    if isinstance(part, Tensor):
        return part.shape, part.dtype, part.device
    if isinstance(part, tuple):
        return tuple(map(_shape, part))
    if dataclasses.is_dataclass(part):
        return type(part), *(_shape(getattr(part, f.name)) for f in dataclasses.fields(part))
    return part if isinstance(part, int | float | None) else type(part)


def _moves(kernel: Kernel, u: Potential, state: Any, noise: Any, length: int, keep: bool) -> Block:
    ys, energies, total = [], [], None
    for step in range(length):
        draw = mapped(partial(torch.select, dim=0, index=step), noise)
        state, info = kernel.move(u, state, draw)
        total = Tally(info, state.energy, state.energy).joined(total)
        if keep:
            ys.append(state.y)
            energies.append(state.energy)
    assert total is not None
    if not keep:
        ys, energies = [state.y], [state.energy]
    return Block(state, total, torch.stack(ys), torch.stack(energies))
