"""`run`: the one loop over any kernel."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ebmlab.checks import require_generator
from ebmlab.errors import (
    ConfigurationError,
    DivergenceError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.protocols import Sampler
from ebmlab.samplers.start import row_sums
from ebmlab.types import Chain, Potential, as_potential

__all__ = ["run"]

CHECK_EVERY = 100


def run(
    sampler: Sampler,
    u: Callable[[Tensor], Tensor],
    y: Any,
    *,
    steps: int,
    rng: torch.Generator,
    thin: int = 0,
    progress: bool = False,
) -> Chain:
    """Run every chain for `steps` transitions of a kernel.

    Args:
        sampler: the kernel.
        u: a potential, or any callable (chains, *event) -> (chains,).
        y: where the chains start, (chains, *event), or a state to go on from. It is not changed.
            Half-precision chains move in float32 while u sees their own type. A state holds
            float32, so to go on from it hand u as `lambda y: u(y.bfloat16()).float()`.
        steps: how many transitions, >= 1.
        rng: a generator on y's device.
        thin: keep every thin-th state as a sample; 0 keeps none.
        progress: show a bar.

    Returns:
        A `Chain`: the last state, samples (steps // thin, chains, *event) and their energies, mean
        acceptance per chain, and the kernel's own record summed over the steps.

    Raises:
        ShapeError, DtypeError: y has no rows or is no floating-point tensor.
        NonFiniteError: a chain starts at, or an unadjusted one reaches, an energy or gradient that
            is NaN or infinite; names the step and the chain.
        DivergenceError: an energy has fallen without bound.
        ConfigurationError, DeviceError: steps < 1, thin < 0, or a missing or misplaced rng.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> from ebmlab.samplers import MALA
        >>> u = Gaussian(torch.zeros(2), torch.eye(2)).given()
        >>> rng = torch.Generator().manual_seed(0)
        >>> run(MALA(0.5), u, torch.zeros(100, 2), steps=20, thin=5, rng=rng).samples.shape
        torch.Size([4, 100, 2])
    """
    if steps < 1 or thin < 0:
        raise ConfigurationError(f"steps is {steps}, thin {thin}; they must be >= 1 and >= 0")
    u, state = _start(sampler, as_potential(u), y, rng)
    watch = _Watch(state)
    kept = steps // thin if thin else 0
    samples = state.y.new_empty(kept, *state.y.shape)
    energies = state.energy.new_empty(kept, *state.energy.shape)
    total = None
    for step in _counted(steps, progress):
        state, info = sampler.step(u, state, rng)
        total = info if total is None else type(info)(*map(torch.add, total, info))
        if thin and step % thin == 0:
            samples[step // thin - 1] = state.y
            energies[step // thin - 1] = state.energy
        watch.see(state, step, last=step == steps)
    assert total is not None
    return Chain(state, samples, energies, total.acceptance / steps, total)


def _start(sampler: Sampler, u: Potential, y: Any, rng: torch.Generator) -> tuple[Potential, Any]:
    given = y if isinstance(y, Tensor) else y.y
    require_generator(rng, "run", given.device)
    if given.ndim < 1 or len(given) == 0:
        raise ShapeError(f"y has shape {tuple(given.shape)}; it must be (chains, *event)")
    if not isinstance(y, Tensor):
        return u, y
    if not y.is_floating_point():
        raise DtypeError(f"y has dtype {y.dtype}; gradient-based chains need floating point")
    if y.dtype in {torch.float16, torch.bfloat16}:
        half, low = u, y.dtype
        u = Potential(lambda free: half(free.to(low)).float())
        y = y.float()
    return u, sampler.init(u, y, rng)


class _Watch:
    """Looks for chains that left the finite numbers, with one host sync per block of steps."""

    def __init__(self, state: Any) -> None:
        start = state.energy
        # Where an energy has fallen so far that its start drowns in rounding, nothing holds it.
        self.floor = start - (1 + start.abs()) / torch.finfo(start.dtype).eps
        self.sound = torch.zeros_like(start, dtype=torch.long)
        self.fallen = torch.zeros_like(start, dtype=torch.bool)

    def see(self, state: Any, step: int, *, last: bool) -> None:
        """Count the sound steps of each chain up to its first bad one; raise after a block."""
        self.fallen |= (state.energy < self.floor) & (self.sound == step - 1)
        # NaN and infinity survive a sum, so that one number tells of all.
        probe = reduce(torch.add, (row_sums(part) for part in state if self._of_chains(part)))
        self.sound += probe.isfinite() & ~self.fallen & (self.sound == step - 1)
        if (last or step % CHECK_EVERY == 0) and (self.sound < step).any():
            self._raise()

    def _of_chains(self, part: Any) -> bool:
        of_chains = isinstance(part, Tensor) and part.shape[:1] == self.sound.shape
        return of_chains and part.is_floating_point()

    def _raise(self) -> None:
        chain = int(self.sound.argmin())
        where = f"chain {chain} at step {int(self.sound[chain]) + 1}"
        if self.fallen[chain]:
            raise DivergenceError(
                f"{where}: the energy falls without bound; an energy must be bounded below: "
                "check its sign, or add a term that holds y"
            )
        raise NonFiniteError(
            f"{where}: the energy, its gradient or the state is NaN or infinite; take a smaller "
            "step_size, or a Metropolis-adjusted sampler, which rejects such points"
        )


def _counted(steps: int, progress: bool) -> Any:
    if not progress:
        return range(1, steps + 1)
    from tqdm.auto import tqdm

    return tqdm(range(1, steps + 1), desc="sampling", unit="step")
