"""Compiled runs in which every chain is at a transition of its own, and none waits for another."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._progress import progress_bar
from ebmlab._rows import mapped
from ebmlab._tracing import tracing
from ebmlab.kernels.lowering import looped
from ebmlab.kernels.programs import Program, _leaves
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers._run.blocks import Tally
from ebmlab.samplers._run.lookout import Lookout
from ebmlab.samplers._run.started import Started
from ebmlab.samplers._steps.lots import momenta
from ebmlab.samplers._steps.machine import Machine, Trees, Turning
from ebmlab.types import Chain, State

__all__ = ["by_turns"]

# Turns to a call where no draws are kept, and numbers of the draws that a call hands back.
MANY, KEPT = 32, 2**13
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
        self.seeds = torch.cat([seeds, seeds.new_zeros(-steps % ROOM)])
        self.last = torch.tensor(steps, device=seeds.device)
        turns = max(2, min(MANY, KEPT // state.y.numel())) if keep else MANY
        self.program = Program(_turns, (self.machine, turns, keep))

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
        self.trees, draws = self.program(self.trees, self.seeds, self.last)
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


_Held = tuple[Machine, int, bool]


def _turns(held: _Held, s: Trees, seeds: Tensor, last: Tensor) -> tuple[Trees, Draws]:
    machine, turns, keep = held
    rows = turns if keep else 0
    draws = Draws(
        s.transition.new_zeros(rows, *s.transition.shape),
        s.draw.y.new_zeros(rows, *s.draw.y.shape),
        s.draw.energy.new_zeros(rows, *s.draw.energy.shape),
    )

    def turned(turn: Tensor, s: Trees, draws: Draws, seeds: Tensor, last: Tensor) -> Any:
        s, done = machine.turn(s, seeds, last)
        here = torch.arange(rows, device=turn.device) == turn
        new = Draws(s.transition * done, s.draw.y, s.draw.energy)
        put = mapped(lambda a, b: torch.where(here.reshape(-1, *[1] * a.ndim), a, b), new, draws)
        return turn + 1, s, put

    turn = torch.zeros((), dtype=torch.int64, device=seeds.device)
    _, s, draws = _repeated(turned, turns, (turn, s, draws), (seeds, last))
    return s, draws


def _repeated(body: Callable[..., Any], turns: int, carried: Any, given: Any) -> Any:
    """carried = body(*carried, *given), so often; one loop of a program that is traced."""
    if not tracing():
        for _ in range(turns):
            carried = body(*carried, *given)
        return carried

    def unpacked(parts: tuple[Tensor, ...]) -> Any:
        rest = iter(parts)
        return mapped(lambda _: next(rest), (*carried, *given))

    def once(*parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.clone() for part in _leaves(body(*unpacked(parts))))

    start = tuple(part.clone() for part in _leaves(carried))
    parts = looped(lambda turn, *_: turn < turns, once, start, given)
    return unpacked((*parts, *given))[: len(carried)]
