"""Blocks of transitions: step by step, or several compiled into one call."""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import leaves_of, mapped
from ebmlab._tracing import tracing
from ebmlab.kernels.lowering import looped
from ebmlab.kernels.programs import Program
from ebmlab.kernels.structure import Structure
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers._steps.source import Counted, Drawn
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Potential

__all__ = ["Ahead", "Block", "Compiled", "Stepwise", "Tally", "heavy"]

# Steps of so many multiplications are one turn of a loop each: laid out one after the other, they
# take as long, and several times longer to compile.
HEAVY = 2**22
# Of so many steps, or as many as have so many numbers, the numbers are counted at once.
AHEAD, AHEAD_NUMBERS = 16, 2**20


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


class Ahead:
    """Steps as ever, whose numbers are counted for several at once.

    Args:
        kernel: the moves, `counted`.
        u: what they sample.
        like: the chains (chains, *event).
        keep: whether every y and energy on the way is wanted.
    """

    def __init__(self, kernel: Kernel, u: Potential, like: Tensor, *, keep: bool) -> None:
        self.kernel, self.u, self.keep = kernel, u, keep
        self.length = max(1, min(AHEAD, AHEAD_NUMBERS // like.numel()))

    def advance(self, state: Any, rng: torch.Generator) -> Block:
        noise = self.kernel.draw(state, Counted(fresh_seeds(rng, self.length)))
        return _moves(self.kernel, self.u, state, noise, self.length, self.keep)


class Compiled:
    """Several moves of a kernel in one program, which counts their numbers where it can.

    Args:
        kernel: the moves.
        u: what they sample.
        length: how many moves.
        keep: whether every y and energy on the way is wanted.
        heavy: whether steps are turns of a loop, where nothing on the way is wanted.
    """

    def __init__(
        self, kernel: Kernel, u: Potential, length: int, *, keep: bool, heavy: bool
    ) -> None:
        self.kernel, self.length = kernel.traced(), length
        form = _counted_moves if kernel.counted else _drawn_moves
        self.program = Program(form, (self.kernel, u, length, keep, heavy))

    def advance(self, state: Any, rng: torch.Generator) -> Block:
        return self.program(state, self._numbers(state, rng))

    def _numbers(self, state: Any, rng: torch.Generator) -> Any:
        if self.kernel.counted:
            return fresh_seeds(rng, self.length)
        source = Drawn(rng)
        return mapped(_stacked, *[self.kernel.draw(state, source) for _ in range(self.length)])


_Held = tuple[Kernel, Potential, int, bool, bool]


def _counted_moves(held: _Held, state: Any, seeds: Tensor) -> Block:
    return _drawn_moves(held, state, held[0].draw(state, Counted(seeds)))


def _drawn_moves(held: _Held, state: Any, noise: Any) -> Block:
    kernel, u, length, keep, heavy = held
    if heavy and length > 1 and not keep and tracing():
        return _turns(kernel, u, state, noise, length)
    return _moves(kernel, u, state, noise, length, keep)


def _stacked(*draws: Tensor) -> Tensor:
    return torch.stack(draws)


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


def _turns(kernel: Kernel, u: Potential, state: Any, noise: Any, length: int) -> Block:
    """The same as one step, and a loop of the program for those that follow."""
    start = _moves(kernel, u, state, noise, 1, keep=False)[:2]

    def turn(step: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        rest = iter(parts)
        (state, total), numbers = mapped(lambda _: next(rest), (start, noise))
        draw = mapped(lambda each: each.index_select(0, step[None])[0], numbers)
        state, info = kernel.move(u, state, draw)
        total = Tally(info, state.energy, state.energy).joined(total)
        return step + 1, *_copies((state, total))

    step = torch.ones((), dtype=torch.int64, device=state.y.device)
    given = tuple(leaves_of(noise))
    _, *parts = looped(lambda step, *_: step < length, turn, (step, *_copies(start)), given)
    rest = iter(parts)
    state, total = mapped(lambda _: next(rest), start)
    return Block(state, total, state.y[None], state.energy[None])


def _copies(tree: Any) -> tuple[Tensor, ...]:
    """Loops hand on no tensor twice, nor one that they were given."""
    return tuple(leaf.clone() for leaf in leaves_of(tree))


def heavy(u: Potential, y: Tensor) -> bool:
    """Whether a step on the CPU multiplies much: chains times entries of all matrices in u."""
    if not y.is_cpu:
        return False
    held = sum(t.numel() for t in Structure(u).tensors if t.ndim > 1 and t.is_floating_point())
    return len(y) * held >= HEAVY
