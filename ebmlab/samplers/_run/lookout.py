"""Looking for chains that left the finite numbers, at no more than one host sync per block."""

from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ebmlab._rows import depth_limit, row_sums
from ebmlab.errors import DivergenceError, NonFiniteError
from ebmlab.protocols import Sampler
from ebmlab.samplers._run.blocks import Tally
from ebmlab.types import Potential

__all__ = ["BOTTOMLESS", "Lookout"]

CHECK_EVERY = 100
BOTTOMLESS = (
    "the energy falls without bound; an energy must be bounded below: check its sign, or add a "
    "term that holds y"
)


class Lookout:
    """Sums and minima of the energies tell that something went wrong; a replay tells where.

    Args:
        sampler, u, state, rng: the run from its start; rng is copied at each check, not moved.
    """

    def __init__(self, sampler: Sampler, u: Potential, state: Any, rng: torch.Generator) -> None:
        self.sampler, self.u, self.rng = sampler, u, rng
        self.floor = depth_limit(state.energy)
        self._set_out(state, 0)

    def _set_out(self, state: Any, step: int) -> None:
        self.state, self.step, self.numbers = state, step, self.rng.get_state()

    def see(self, state: Any, total: Tally, step: int, *, last: bool) -> None:
        """Look from time to time at where a run stands after `step`, and raise."""
        if last or step - self.step >= CHECK_EVERY:
            probe = reduce(torch.add, self._probes(state), total.energy)
            if not bool((probe.isfinite() & (total.lowest >= self.floor)).all()):
                self._replay(state, step)
            self._set_out(state, step)

    def _probes(self, state: Any) -> list[Tensor]:
        """NaN and infinity survive a sum, so that one number per chain tells of all."""
        if isinstance(state, tuple):
            return [probe for part in state for probe in self._probes(part)]
        of_chains = isinstance(state, Tensor) and state.shape[:1] == self.floor.shape
        return [row_sums(state)] if of_chains and state.is_floating_point() else []

    def _replay(self, reached: Any, until: int) -> None:
        """Go the way again step by step, and raise at the first bad one."""
        rng = torch.Generator(self.rng.device).set_state(self.numbers)
        state = self.state
        for step in range(self.step + 1, until + 1):
            state, _ = self.sampler.step(self.u, state, rng)
            self._judge(state, step)
        # Single steps, rounded otherwise, may have stayed where the run's own have fallen.
        self._judge(reached, until)

    def _judge(self, state: Any, step: int) -> None:
        fallen = state.energy < self.floor
        finite = reduce(torch.add, self._probes(state)).isfinite()
        if bool((fallen | ~finite).any()):
            self._raise(fallen, int((fallen | ~finite).nonzero()[0]), step)

    def _raise(self, fallen: Tensor, chain: int, step: int) -> None:
        where = f"chain {chain} at step {step}"
        if fallen[chain]:
            raise DivergenceError(f"{where}: {BOTTOMLESS}")
        raise NonFiniteError(
            f"{where}: the energy, its gradient or the state is NaN or infinite; take a smaller "
            "step_size, or a Metropolis-adjusted sampler, which rejects such points"
        )
