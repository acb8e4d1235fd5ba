"""Ways to go on a CUDA device: the whole chain in one launch, or many steps in one graph."""

import dataclasses
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from ebmlab._rows import mapped
from ebmlab.kernels._fits import runs_fused
from ebmlab.kernels.chain import Slope, langevin_chain
from ebmlab.kernels.graphs import Graphed
from ebmlab.kernels.programs import Program
from ebmlab.kernels.structure import Structure
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers._run.blocks import Block, Tally
from ebmlab.samplers._steps.source import Counted
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.langevin import Langevin
from ebmlab.types import Info, Potential, State

__all__ = ["GraphedSteps", "Way", "WholeChain", "fastest", "fills"]

# Steps of one launch: at most, so that a bar moves and an interrupt is heard; and at least.
LONGEST, SHORTEST = 1000, 10
# A graph holds so many blocks of a kernel, where launches cost more than what they do.
BLOCKS, SMALL = 5, 2**20
# Steps of a trial; the share of its chains that must end where single steps end, and how near.
TRIED, SHARE, NEAR = 8, 0.99, 1e-4
KEPT = 16


class WholeChain:
    """All steps of Langevin chains in one launch; only where they end is looked at.

    Args:
        kernel: unadjusted, without metric and box.
        u: what it samples.
        slope: the gradient of u as a kernel computes it.
        length: steps of a launch.
    """

    def __init__(self, kernel: Langevin, u: Potential, slope: Slope, length: int) -> None:
        self.kernel, self.u, self.slope, self.length = kernel, u, slope, length

    def advance(self, state: State, rng: torch.Generator) -> Block:
        """`length` steps on."""
        return self.moved(state, fresh_seeds(rng, self.length))

    def moved(self, state: State, seeds: Tensor) -> Block:
        """A step on for each seed."""
        kernel = self.kernel
        numbers = kernel.step_size, kernel.temperature, kernel.clamp
        y = langevin_chain(self.slope, state.y, seeds, *numbers)
        end = State(y, *self.u.value_and_grad(y))
        info = Info(torch.full_like(end.energy, len(seeds)))
        return Block(end, Tally(info, end.energy, end.energy), y[None], end.energy[None])


class GraphedSteps:
    """Compiled steps, captured in one CUDA graph: one launch for all of them.

    Parameters of u are read where they lie. The kernel's numbers and the seeds are copied to where
    the graph reads them, so that another step size needs no other graph.

    Args:
        kernel: `counted`.
        u: what it samples.
        state: where chains stand.
        length: steps of a launch.
        keep: whether every y and energy on the way is wanted.
    """

    def __init__(
        self, kernel: Kernel, u: Potential, state: Any, length: int, *, keep: bool
    ) -> None:
        self.length, self.keep = length, keep
        traced, device = kernel.traced(), state.y.device
        self.numbers = {n: getattr(traced, n).to(device, copy=True) for n in kernel.numbers}
        held = dataclasses.replace(kernel, **self.numbers)  # pyright: ignore[reportArgumentType]
        self.step = Program(_step, (held, u))
        self.graph = Graphed(self.steps, (state, apart(_trial_seeds(state.y, length))))

    def steps(self, inputs: tuple[Any, Tensor]) -> Block:
        """A step for each row of seeds, one by one: what the graph is made of."""
        state, seeds = inputs
        infos, ys, energies = [], [], []
        for seed in seeds.unbind():
            state, info = self.step(state, seed[0])
            infos.append(info)
            ys.append(state.y)
            energies.append(state.energy)
        kept = slice(None) if self.keep else slice(-1, None)
        energy = torch.stack(energies)
        tally = Tally(mapped(_summed, *infos), energy.sum(0), energy.amin(0))
        return Block(state, tally, torch.stack(ys[kept]), energy[kept])

    def take(self, kernel: Kernel) -> None:
        """The numbers of another kernel of the same kind."""
        for name, fixed in self.numbers.items():
            fixed.copy_(torch.as_tensor(getattr(kernel, name)))

    def advance(self, state: Any, rng: torch.Generator) -> Block:
        """`length` steps on."""
        return self.moved(state, fresh_seeds(rng, self.length))

    def moved(self, state: Any, seeds: Tensor) -> Block:
        """A step on for each seed."""
        return self.graph((state, apart(seeds)))


Way = WholeChain | GraphedSteps

_CHAINS: dict[Hashable, bool] = {}
_GRAPHS: OrderedDict[Hashable, GraphedSteps | None] = OrderedDict()


def fastest(kernel: Kernel, u: Potential, state: Any, *, steps: int, thin: int) -> Way | None:
    """The fastest way for these chains that goes where single steps go; None if there is none.

    On each device a way of each kind is tried first, with seeds of its own. One that fails or ends
    elsewhere is not taken, and a warning says so.
    """
    if not _on_device(state.y):
        return None
    return _whole(kernel, u, state, steps, thin) or _graphed(kernel, u, state, steps, thin)


def fills(y: Tensor) -> bool:
    """Whether chains keep a CUDA device so busy that launches cost nothing beside their steps."""
    return _on_device(y) and y.numel() > SMALL


def _on_device(y: Tensor) -> bool:
    return y.is_cuda


def _whole(kernel: Kernel, u: Potential, state: Any, steps: int, thin: int) -> WholeChain | None:
    if type(kernel) is not Langevin or kernel.box is not None or (thin or steps) < SHORTEST:
        return None
    fits = kernel.fuses(state.y) and state.y.ndim == 2
    slope = u.in_kernel() if fits and runs_fused(state.y) and runs_fused(state.grad) else None
    if slope is None:
        return None
    way = WholeChain(kernel, u, slope, thin or steps // -(-steps // LONGEST))
    seeds = _trial_seeds(state.y, TRIED)

    def trial() -> tuple[Any, Any]:
        due = state
        for seed in seeds:
            due = _step((kernel, u), due, seed)[0]
        return way.moved(state, seeds).state, due

    key = state.y.device, slope.name, slope.count, state.y.shape[1]
    if key not in _CHAINS:
        _CHAINS[key] = _well("a chain in one launch", state.y.device, trial)
    return way if _CHAINS[key] else None


def _graphed(
    kernel: Kernel, u: Potential, state: Any, steps: int, thin: int
) -> GraphedSteps | None:
    length = BLOCKS * kernel.block
    # Blocks of one step may hold loops whose turns a tensor tells, and a graph cannot wait for it.
    straight = kernel.counted and kernel.block > 1
    if not straight or length > steps or fills(state.y):
        return None
    keep = thin % length != 0
    traced = kernel.traced()
    structure = Structure((traced, u))
    numbers = {id(getattr(traced, name)) for name in kernel.numbers}
    places = tuple(t.data_ptr() for t in structure.tensors if id(t) not in numbers)
    key = structure.key, places, Structure(state).key, length, keep
    if key not in _GRAPHS:
        _GRAPHS[key] = _captured(kernel, u, state, length, keep)
        while len(_GRAPHS) > KEPT:
            _GRAPHS.popitem(last=False)
    _GRAPHS.move_to_end(key)
    way = _GRAPHS[key]
    if way is not None:
        way.take(kernel)
    return way


def _captured(
    kernel: Kernel, u: Potential, state: Any, length: int, keep: bool
) -> GraphedSteps | None:
    made: list[GraphedSteps] = []

    def trial() -> tuple[Any, Any]:
        way = GraphedSteps(kernel, u, state, length, keep=keep)
        made.append(way)
        seeds = apart(_trial_seeds(state.y, length))
        first = seeds[0, 0]
        got = way.step(state, first)[0], way.graph((state, seeds)).state
        return got, (_step((kernel, u), state, first)[0], way.steps((state, seeds)).state)

    return made[0] if _well("a CUDA graph of steps", state.y.device, trial) else None


def _well(name: str, device: torch.device, trial: Callable[[], tuple[Any, Any]]) -> bool:
    """Whether both ends of a trial agree; a warning where they do not, or where it fails."""
    try:
        with torch.no_grad():
            got, due = trial()
        if all(map(_near, _leaves(got), _leaves(due))):
            return True
        why = "ends elsewhere than steps one by one"
    except Exception as fault:
        why = f"fails with {type(fault).__name__}: {fault}"
    warnings.warn(f"{name} on {device} {why}: a slower way is taken", stacklevel=7)
    return False


def _near(got: Tensor, due: Tensor) -> bool:
    """Whether nearly all chains agree to rounding; a threshold just met may flip one."""
    close = torch.isclose(got, due, rtol=NEAR, atol=NEAR, equal_nan=True)
    close = torch.atleast_1d(close)
    return bool(close.reshape(len(close), -1).all(1).double().mean() >= SHARE)


def _step(held: tuple[Kernel, Potential], state: Any, seed: Tensor) -> tuple[Any, Any]:
    kernel, u = held
    return kernel.move(u, state, kernel.draw(state, Counted(seed)))


def apart(seeds: Tensor) -> Tensor:
    """Seeds (steps, 2), each where 16 bytes begin, as compiled programs want their inputs."""
    return torch.stack([seeds, seeds], dim=1)


def _trial_seeds(y: Tensor, steps: int) -> Tensor:
    return fresh_seeds(torch.Generator(y.device), steps)


def _summed(*parts: Tensor) -> Tensor:
    return torch.stack(parts).sum(0)


def _leaves(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    return [leaf for part in tree for leaf in _leaves(part)]
