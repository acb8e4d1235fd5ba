"""Hamiltonian Monte Carlo with trajectories of a fixed number of steps."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._rows import finite_rows, select
from ebmlab.errors import ConfigurationError
from ebmlab.samplers._steps.leapfrog import DIVERGENT, Phase, kinetic, trajectory
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.samplers.tunable import Tunable
from ebmlab.types import Potential, State

__all__ = ["HMC", "HMCInfo", "HMCNoise"]


class HMCNoise(NamedTuple):
    """Standard normal momenta, thresholds in [0, 1), and a number in [0, 1), (), to jitter by."""

    momentum: Tensor
    threshold: Tensor
    place: Tensor


class HMCInfo(NamedTuple):
    """Acceptance probabilities, which proposals were not finite and which diverged: (chains,).

    A divergent proposal's energy error is not finite or above 1000; both are counts once summed.
    """

    acceptance: Tensor
    nonfinite: Tensor
    divergent: Tensor


@dataclass(frozen=True, eq=False)
class HMC(Tunable, Kernel):
    """Hamiltonian Monte Carlo: leaves exp(-u) exactly invariant at any step size.

    Draw momenta r ~ N(0, 1), follow H = u(y) + ½ ‖r‖² for a number of leapfrog steps of size ε f,
    and accept the end with probability min(1, exp(H - H')). f ~ U(1 - jitter, 1 + jitter) is drawn
    once a transition for all chains; it keeps trajectories from closing on themselves. The force
    is kept: a transition takes `leapfrog_steps` new gradients. A proposal whose energy or gradient
    is NaN or +∞ is rejected and counted.

    Args:
        step_size: ε > 0. For temperature T sample u / T.
        leapfrog_steps: how many leaps make a trajectory, >= 1.
        metric: M, the identity by default; `warmup` finds one.
        jitter: in [0, 1).

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(HMC(0.3, 5), u, torch.zeros(100, 2), steps=20, rng=rng).acceptance.mean() > 0.9
        tensor(True)

    Source: Duane, Kennedy, Pendleton, Roweth 1987; Neal 2011 (arXiv:1206.1901).
    """

    numbers: ClassVar[tuple[str, ...]] = ("step_size",)

    step_size: float | Tensor
    leapfrog_steps: int | Tensor = 10
    metric: Metric = IDENTITY
    jitter: float = 0.0

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        if not isinstance(self.leapfrog_steps, Tensor):
            require_counts(leapfrog_steps=self.leapfrog_steps)
        if not 0 <= self.jitter < 1:
            raise ConfigurationError(f"jitter is {self.jitter}; it must be in [0, 1)")

    @property
    def block(self) -> int:
        """As many trajectories as make some twenty leaps, and one where their number varies."""
        leaps = self.leapfrog_steps
        return 1 if isinstance(leaps, Tensor) else max(1, 20 // leaps)

    def draw(self, state: State, source: Source) -> HMCNoise:
        """The momenta, the thresholds of the tests, and the place of the step size."""
        place = source.uniform(state.energy.new_empty(()))
        return HMCNoise(source.normal(state.y), source.uniform(state.energy), place)

    def move(self, u: Potential, state: State, noise: HMCNoise) -> tuple[State, HMCInfo]:
        """Follow the trajectory of every chain, and accept or reject its end."""
        return decide(state, noise, self.propose(u, state, noise))

    def propose(self, u: Potential, state: State, noise: HMCNoise) -> Phase:
        """The end of every chain's trajectory."""
        start = Phase(*state, noise.momentum)
        return trajectory(u, self.metric, start, self.stride(noise), self.leapfrog_steps)

    def stride(self, noise: HMCNoise) -> float | Tensor:
        """The step size of this transition, ε f."""
        if self.jitter == 0:
            return self.step_size
        return self.step_size * (1 + self.jitter * (2 * noise.place - 1))


def decide(state: State, noise: HMCNoise, end: Phase) -> tuple[State, HMCInfo]:
    """Accept or reject the end of every trajectory."""
    # Potential energies first: a common offset cancels before it can drown the kinetic ones.
    error = (end.energy - state.energy) + (kinetic(end.momentum) - kinetic(noise.momentum))
    finite = end.energy.isfinite() & finite_rows(end.grad) & error.isfinite()
    probability = torch.where(finite, (-error).clamp(max=0).exp(), 0.0)
    accept = (noise.threshold < probability) | end.energy.isneginf()
    divergent = ~finite | (error > DIVERGENT)
    info = HMCInfo(probability, (~finite).to(probability), divergent.to(probability))
    return select(accept, end.state, state), info
