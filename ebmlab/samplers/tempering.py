"""Parallel tempering: hot replicas cross barriers, swaps bring what they find to the cold one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import select
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Sampler
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.heated import Heated
from ebmlab.samplers.kernel import Kernel, made
from ebmlab.types import Potential

__all__ = ["ParallelTempering", "TemperingInfo", "TemperingState"]


class TemperingState(NamedTuple):
    """The coldest replica of every chain in front, and all of them behind it.

    `y` and `energy` are those at T = 1; `replicas` are the states of all, coldest first. `steps`
    (chains,) counts the steps made, `swaps` (chains, temperatures - 1) the swaps between
    neighbors.
    """

    y: Tensor
    energy: Tensor
    replicas: tuple[Any, ...]
    steps: Tensor
    swaps: Tensor

    @property
    def energies(self) -> Tensor:
        """The replicas' energies in the units of u, (chains, temperatures)."""
        return torch.stack([replica.energy for replica in self.replicas], 1)

    @property
    def swap_rates(self) -> Tensor:
        """The share of swaps accepted so far, of each pair of neighbors: (temperatures - 1,)."""
        pair = torch.arange(self.swaps.shape[1], device=self.swaps.device)
        tried = (self.steps[:, None] + 1 - pair % 2) // 2
        return self.swaps.sum(0) / tried.sum(0)


class TemperingInfo(NamedTuple):
    """What a step reports, all (chains,): the moves of the coldest replica, and the swaps."""

    acceptance: Tensor
    swaps: Tensor
    attempts: Tensor
    nonfinite: Tensor


@dataclass(frozen=True, eq=False)
class ParallelTempering(Kernel):
    """Replicas of every chain at temperatures 1 = T₁ < T₂ < …, which move and then swap places.

    Each replica moves by a kernel on u / T_i. Then neighbors i, j = i + 1 swap with probability
    min(1, exp((1/T_i - 1/T_j)(u_i - u_j))): pairs that begin at an even i in even steps, at an odd
    one in odd steps. The product of all exp(-u / T_i) is left invariant where the kernels leave
    theirs, and the coldest replica samples exp(-u). Cost: one kernel's for each temperature.

    Args:
        kernel: the sampler that moves each replica; or a function that makes it from the
            temperature, so that hot ones take longer steps: `lambda t: MALA(0.1 * t)` (see
            `Heated`).
        temperatures: 1 = T₁ < T₂ < …, at least two; `state.swap_rates` should lie well above 0
            for all pairs, and the hottest cross every barrier.

    Attributes:
        ladder: the tempered kernels, coldest first.

    Raises:
        ConfigurationError: the temperatures do not begin with 1 or do not increase.

    Example:
        >>> from ebmlab.energies import GaussianMixture
        >>> from ebmlab.samplers import MALA, run
        >>> u = GaussianMixture(torch.tensor([[-4.0], [4.0]]), 0.5).given()
        >>> sampler = ParallelTempering(lambda t: MALA(0.1 * t), (1, 2, 4, 8, 16, 32))
        >>> rng = torch.Generator().manual_seed(0)
        >>> chain = run(sampler, u, torch.full((200, 1), -4.0), steps=100, rng=rng)
        >>> 0.3 < (chain.state.y > 0).float().mean() < 0.7
        tensor(True)

    Source: Geyer 1991; Okabe, Kawata, Okamoto, Mikami 2001; Syed, Bouchard-Côté, Deligiannidis,
    Doucet 2019, arXiv:1905.02939.
    """

    kernel: Sampler | Callable[[float], Sampler]
    temperatures: Sequence[float]
    ladder: tuple[Heated, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        t = self.temperatures
        rising = all(a < b < math.inf for a, b in pairwise(t))
        if len(t) < 2 or t[0] != 1 or not rising:
            raise ConfigurationError(
                f"temperatures are {t}; they must begin with 1 and increase, two or more of them"
            )
        # Made here, once, and frozen as all else.
        ladder = tuple(Heated(made(self.kernel, hot), hot) for hot in t)
        object.__setattr__(self, "ladder", ladder)

    @property
    def counted(self) -> bool:
        """Where all kernels do."""
        return all(rung.counted for rung in self.ladder)

    @property
    def block(self) -> int:
        """One at most: a step is as many of the kernel's as there are temperatures."""
        return min(1, *(rung.block for rung in self.ladder))

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> TemperingState:
        """All replicas of a chain start where it starts."""
        replicas = [rung.init(u, y, rng) for rung in self.ladder]
        steps = torch.zeros(len(y), dtype=torch.long, device=y.device)
        return _gathered(replicas, steps, steps.new_zeros(len(y), len(replicas) - 1))

    def draw(self, state: TemperingState, source: Source) -> tuple[tuple[Any, ...], Tensor]:
        """The random numbers of all replicas' moves, and a threshold for each pair."""
        replicas = zip(self.ladder, state.replicas, strict=True)
        moves = tuple(rung.draw(replica, source) for rung, replica in replicas)
        return moves, source.uniform(state.energy.new_empty(state.swaps.shape))

    def move(
        self, u: Potential, state: TemperingState, noise: Any
    ) -> tuple[TemperingState, TemperingInfo]:
        """Move every replica, then let neighbors swap."""
        moves, thresholds = noise
        each = zip(self.ladder, state.replicas, moves, strict=True)
        moved = [rung.move(u, replica, draw) for rung, replica, draw in each]
        replicas = [replica for replica, _ in moved]
        swaps, tried = [], []
        for i, (cold, hot) in enumerate(pairwise(self.temperatures)):
            below, above = replicas[i : i + 2]
            log_accept = (1 / cold - 1 / hot) * (below.energy - above.energy)
            tried.append(state.steps % 2 == i % 2)
            swap = tried[i] & (thresholds[:, i] < log_accept.clamp(max=0).exp())
            replicas[i : i + 2] = select(swap, above, below), select(swap, below, above)
            swaps.append(swap)
        swapped = torch.stack(swaps, 1)
        after = _gathered(replicas, state.steps + 1, state.swaps + swapped)
        acceptance = moved[0][1].acceptance
        # Unadjusted kernels reject nothing and have no such count.
        lost = [getattr(info, "nonfinite", torch.zeros_like(acceptance)) for _, info in moved]
        attempts = torch.stack(tried, 1).sum(1).to(acceptance)
        made = swapped.sum(1).to(acceptance)
        return after, TemperingInfo(acceptance, made, attempts, torch.stack(lost).sum(0))


def _gathered(replicas: list[Any], steps: Tensor, swaps: Tensor) -> TemperingState:
    return TemperingState(replicas[0].y, replicas[0].energy, tuple(replicas), steps, swaps)
