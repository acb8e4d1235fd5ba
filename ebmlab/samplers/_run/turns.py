"""Compiled runs in which every chain is at a transition of its own, and none waits for another."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._progress import progress_bar
from ebmlab._rows import mapped
from ebmlab._tracing import tracing
from ebmlab.kernels.lowering import looped
from ebmlab.kernels.programs import Program
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers._run.blocks import Tally
from ebmlab.samplers._run.lookout import Lookout
from ebmlab.samplers._run.packing import Packing
from ebmlab.samplers._run.started import Started
from ebmlab.samplers._steps.lots import momenta
from ebmlab.samplers._steps.machine import Machine, Trees, Turning
from ebmlab.types import Chain, State

__all__ = ["by_turns"]

# Turns to a call where no draws are kept, and numbers of the draws that a call hands back.
MANY, KEPT = 32, 2**15
# Seeds are filled up to so many, so that a program serves runs of different lengths.
ROOM = 1024


class Draws(NamedTuple):
    """What the turns of a call have come to.

    Attributes:
        step: which of its transitions a chain has ended, counted from 1, or 0: (turns, chains).
        y: the draws (turns, d, chains).
        energy: (turns, chains).
    """

    step: Tensor
    y: Tensor
    energy: Tensor


def by_turns(
    sampler: Turning, start: Started, lookout: Lookout, steps: int, thin: int, progress: bool
) -> tuple[Chain, int]:
    """The chain of so many transitions of each, and how many there are if it is interrupted."""
    turns = _Turns(sampler, start, steps, keep=thin > 0)
    y, energy = start.state.y, start.state.energy
    samples = y.new_empty(steps // thin if thin else 0, *y.shape)
    energies = energy.new_empty(len(samples), *energy.shape)
    done = 0
    with progress_bar("sampling", steps, progress) as bar:
        while done < steps:
            try:
                draws = turns.advance()
            except KeyboardInterrupt:
                if not done:
                    raise
                told = f"interrupted after {done} of {steps} steps: this is the chain so far"
                warnings.warn(told, stacklevel=3)
                break
            if thin:
                _put(draws, thin, samples, energies)
            before, done = done, turns.done
            bar.update(done - before)
            turns.look(lookout, last=done == steps)
    info, made = turns.trees.info, turns.trees.transition
    kept = done // thin if thin else 0
    return Chain(turns.state, samples[:kept], energies[:kept], info.acceptance / made, info), done


class _Turns:
    """A run of so many transitions of each chain.

    Args:
        sampler: what moves the chains.
        start: where they stand, and the generator that gives one seed for each transition, as it
            does in steps.
        steps: how many transitions each of them makes.
        keep: whether draws are handed back.
    """

    def __init__(self, sampler: Turning, start: Started, steps: int, *, keep: bool) -> None:
        state, seeds = start.state, fresh_seeds(start.rng, steps)
        self.machine = sampler.machine(start.u, state).traced()
        first = momenta(seeds[:1].expand(len(state.y)), state.y)
        self.trees = self.machine.begin(state, first)
        self.packing = Packing(self.trees)
        self.packs = self.packing.packed(self.trees)
        self.seeds = torch.cat([seeds, seeds.new_zeros(-steps % ROOM)])
        self.last = torch.tensor(steps, device=seeds.device)
        turns = max(2, min(MANY, KEPT // state.y.numel())) if keep else MANY
        self.program = Program(_turns, (self.machine, self.packing, turns, keep))

    @property
    def done(self) -> int:
        """How many transitions all chains have made."""
        return int(self.trees.transition.min())

    @property
    def state(self) -> State:
        """The last draw of each chain."""
        return self.machine.drawn(self.trees)

    def advance(self) -> Draws:
        """Some turns of all chains; those that have made all their transitions stay."""
        self.packs, draws = self.program(self.packs, self.seeds, self.last)
        self.trees: Trees = self.packing.unpacked(self.packs)
        return draws

    def look(self, lookout: Lookout, *, last: bool) -> None:
        """Raise where an energy has fallen without bound, after going the way again in steps."""
        energy = self.trees.draw.energy
        if last or not bool((energy >= lookout.floor).all()):
            tally = Tally(self.trees.info, energy, energy)
            lookout.see(self.state, tally, int(self.trees.transition.max()), last=True)


def _put(draws: Draws, thin: int, samples: Tensor, energies: Tensor) -> None:
    """Write every thin-th draw of each chain to its place in (kept, chains, *event)."""
    turn, chain = ((draws.step > 0) & (draws.step % thin == 0)).nonzero(as_tuple=True)
    at = draws.step[turn, chain] // thin - 1, chain
    samples[at] = draws.y[turn, :, chain].reshape(-1, *samples.shape[2:])
    energies[at] = draws.energy[turn, chain]


_Held = tuple[Machine, Packing, int, bool]
_Packs = tuple[Tensor, ...]


def _turns(held: _Held, packs: _Packs, seeds: Tensor, last: Tensor) -> tuple[_Packs, Draws]:
    machine, packing, turns, keep = held
    rows = turns if keep else 0

    def turned(turn: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        *packs, step, y, energy, seeds, last = given
        s, done = machine.turn(packing.unpacked(tuple(packs)), seeds, last)
        here = torch.arange(rows, device=turn.device) == turn
        new, draws = Draws(s.transition * done, s.draw.y, s.draw.energy), Draws(step, y, energy)
        put = mapped(lambda a, b: torch.where(here.reshape(-1, *[1] * a.ndim), a, b), new, draws)
        return turn + 1, *packing.packed(s), *put

    s = packing.unpacked(packs)
    new = s.transition, s.draw.y, s.draw.energy
    draws = [part.new_zeros(rows, *part.shape) for part in new]
    turn = torch.zeros((), dtype=torch.int64, device=seeds.device)
    _, *carried = _repeated(turned, turns, (turn, *packs, *draws), (seeds, last))
    return tuple(carried[: len(packs)]), Draws(*carried[len(packs) :])


def _repeated(
    body: Callable[..., tuple[Tensor, ...]], turns: int, carried: _Packs, given: _Packs
) -> tuple[Tensor, ...]:
    """carried = body(*carried, *given), so often; one loop of a program that is traced."""
    if tracing():
        start = tuple(part.clone() for part in carried)
        return looped(lambda turn, *_: turn < turns, body, start, given)
    for _ in range(turns):
        carried = body(*carried, *given)
    return carried
