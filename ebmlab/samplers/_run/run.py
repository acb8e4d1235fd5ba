"""`run`: the one loop over any kernel."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ebmlab._checks import require_counts, require_non_negative
from ebmlab._progress import progress_bar
from ebmlab.kernels.programs import CompiledPotential
from ebmlab.protocols import Sampler
from ebmlab.samplers._run.blocks import Ahead, Compiled, Stepwise, heavy
from ebmlab.samplers._run.cuda import Way, fastest, fills
from ebmlab.samplers._run.lookout import Lookout
from ebmlab.samplers._run.started import Started, started
from ebmlab.samplers._run.turns import by_turns
from ebmlab.samplers._steps.machine import Turning
from ebmlab.types import Chain, Rng

__all__ = ["run"]

STANDSTILL = 1e-3

# Up to so many numbers a step is over before a call is, and programs are so many blocks long.
FEW, LONGER = 2**11, 5


def run(
    sampler: Sampler,
    u: Callable[[Tensor], Tensor],
    y: Any,
    *,
    steps: int,
    rng: Rng = None,
    thin: int = 0,
    progress: bool = False,
    compile: bool = False,
) -> Chain:
    """Run every chain for `steps` transitions of a sampler.

    Interrupted (Ctrl-C), it warns and returns the chain so far. It also warns if more than half
    of the chains accepted next to nothing.

    Args:
        sampler: one of `ebmlab.samplers`, or your own with the two methods of
            `ebmlab.protocols.Sampler`.
        u: a potential, or any callable (chains, *event) -> (chains,).
        y: where the chains start, (chains, *event), or a state to go on from. It is not changed.
            Half-precision chains move in float32 while u sees their own type. Their state holds
            float32; to go on from it, pass `lambda y: u(y.bfloat16()).float()` as u.
        steps: how many transitions, >= 1.
        rng: a generator on y's device; it must be given.
        thin: keep every thin-th state as a sample; 0 keeps none.
        progress: show a bar, on a terminal or in a notebook.
        compile: compile blocks of transitions into one program, which takes seconds once for each
            energy, kernel and shape. The chain is the same up to rounding. Chains of `NUTS` then
            do not wait for each other. Of other samplers that are not a `Kernel` only the
            potential is compiled. On CUDA all steps of Langevin are one launch where a kernel
            knows u, else many are one graph; a way that ends elsewhere than single steps is not
            taken, and a warning says so.

    Returns:
        A `Chain`: the last state, samples (steps // thin, chains, *event) and their energies, mean
        acceptance per chain, and the sampler's own record summed over the steps.

    Raises:
        ShapeError, DtypeError: y has no rows or is not a floating-point tensor.
        NonFiniteError: a chain starts at, or an unadjusted one reaches, an energy or gradient that
            is NaN or infinite; the message names the step and the chain.
        DivergenceError: an energy has fallen without bound.
        ConfigurationError, DeviceError: steps < 1, thin < 0; rng is missing or on another device;
            u is an `Energy` instead of a potential; the sampler lacks a method, or its state or
            info lacks a field.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Gaussian
        >>> from ebmlab.samplers import MALA
        >>> u = Gaussian(torch.zeros(2), torch.eye(2)).given()
        >>> rng = torch.Generator().manual_seed(0)
        >>> run(MALA(0.5), u, torch.zeros(100, 2), steps=20, thin=5, rng=rng).samples.shape
        torch.Size([4, 100, 2])
    """
    require_counts(steps=steps)
    require_non_negative("thin", thin)
    start = started("run", sampler, u, y, rng)
    state, rng = start.state, start.rng
    lookout = Lookout(start.kernel, start.u, state, rng)
    if compile and isinstance(sampler, Turning):
        chain, done = by_turns(sampler, start, lookout, steps, thin, progress)
        _warn_of_standstill(chain.acceptance, done)
        return chain
    kept = steps // thin if thin else 0
    samples = state.y.new_empty(kept, *state.y.shape)
    energies = state.energy.new_empty(kept, *state.energy.shape)
    single, several = _blocks(start, steps, thin, compile)
    total, done = None, 0
    with progress_bar("sampling", steps, progress) as bar:
        while done < steps:
            blocks = several if done + several.length <= steps else single
            try:
                block = blocks.advance(state, rng)
            except KeyboardInterrupt:
                if total is None:
                    raise
                told = f"interrupted after {done} of {steps} steps: this is the chain so far"
                warnings.warn(told, stacklevel=2)
                break
            state, total = block.state, block.tally.joined(total)
            for step, k in _due(done, blocks.length, thin):
                samples[step // thin - 1] = block.ys[k]
                energies[step // thin - 1] = block.energies[k]
            done += blocks.length
            lookout.see(state, total, done, last=done == steps)
            bar.update(blocks.length)
    assert total is not None
    kept, acceptance = done // thin if thin else 0, total.info.acceptance / done
    _warn_of_standstill(acceptance, done)
    return Chain(state, samples[:kept], energies[:kept], acceptance, total.info)


def _warn_of_standstill(acceptance: Tensor, steps: int) -> None:
    still = acceptance < STANDSTILL
    if steps >= 10 and bool(still.double().mean() > 0.5):
        warnings.warn(
            f"{int(still.sum())} of {len(still)} chains accepted next to nothing in {steps} steps "
            f"(on average less than {STANDSTILL}), and so stand where they were: take a smaller "
            "step_size, let `warmup` find one, or start elsewhere",
            stacklevel=3,
        )


def _blocks(
    start: Started, steps: int, thin: int, compile: bool
) -> tuple[Stepwise, Stepwise | Ahead | Compiled | Way]:
    """Ways to go one step on, and several."""
    kernel, u, y = start.kernel, start.u, start.state.y
    if compile and kernel.block:
        way = fastest(kernel, u, start.state, steps=steps, thin=thin)
        if way is not None:
            return Stepwise(kernel, u), way
        length = _length(kernel.block, y, steps, thin)
        keep = thin % length != 0
        return Stepwise(kernel, u), Compiled(kernel, u, length, keep=keep, heavy=heavy(u, y))
    single = Stepwise(kernel, CompiledPotential(u) if compile else u)
    if kernel.counted and kernel.block:
        return single, Ahead(kernel, single.u, y, keep=thin > 0)
    return single, single


def _length(block: int, y: Tensor, steps: int, thin: int) -> int:
    """How many moves make a program: more where a call costs more than what it does."""
    if fills(y):
        return 1  # the numbers of several would be laid out in memory
    if y.numel() > FEW:
        return block
    fits = (k for k in (LONGER * block, 2 * block) if steps % k == 0 and thin % k == 0)
    return next(fits, block)


def _due(done: int, length: int, thin: int) -> list[tuple[int, int]]:
    """The steps of a block to be kept, and where in the block they are; -1 is its end."""
    if not thin:
        return []
    steps = range(done + 1, done + length + 1)
    return [(step, step - done - length - 1) for step in steps if step % thin == 0]
