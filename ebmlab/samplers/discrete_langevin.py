"""Discrete Langevin proposals: every site may change at once."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import finite_rows
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.discrete import BINARY, Informed, StateSpace
from ebmlab.samplers.mala import MetropolisInfo, MetropolisNoise, metropolis
from ebmlab.types import Potential, State

__all__ = ["DiscreteLangevin"]


@dataclass(frozen=True, eq=False)
class DiscreteLangevin(Informed):
    """Draw every site on its own from q(y'_i) ∝ exp(-½ ∂u/∂y_i (y'_i - y_i) - (y'_i - y_i)²/2α).

    With the Metropolis test exp(-u) is left exactly invariant. Without it every proposal is taken,
    and the law is that of u only as α goes to 0. Categorical sites are vectors: a change of state
    has squared length 2. Any event shape; for temperature T sample u / T.

    Args:
        step_size: α > 0; small ones hold y.
        adjusted: whether proposals pass a Metropolis test.
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError: step_size is not finite and positive, or a chain starts outside the
            space.
        ShapeError: y has no dimension for the states of a categorical.

    Example:
        >>> from ebmlab.energies import Ising
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = Ising((4, 4), coupling=0.1).given()
        >>> chain = run(DiscreteLangevin(0.4), u, torch.zeros(100, 4, 4), steps=50, rng=rng)
        >>> chain.acceptance.mean() > 0.5
        tensor(True)

    Source: Zhang, Liu, Liu 2022, arXiv:2206.09914.
    """

    numbers: ClassVar[tuple[str, ...]] = ("step_size",)

    step_size: float | Tensor
    adjusted: bool = True
    space: StateSpace = BINARY

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def draw(self, state: State, source: Source) -> MetropolisNoise:
        """The choice at every site, and the threshold of the test."""
        return MetropolisNoise(self.space.draw(state.y, source.rng), source.uniform(state.energy))

    def move(
        self, u: Potential, state: State, noise: MetropolisNoise
    ) -> tuple[State, MetropolisInfo]:
        """Propose for all sites at once; accept or reject every chain on its own."""
        forth = self._logits(state)
        y = self.space.choose(forth, noise.push)
        new = State(y, *u.value_and_grad(y))
        if not self.adjusted:
            bad = ~(new.energy.isfinite() & finite_rows(new.grad))
            return new, MetropolisInfo(torch.ones_like(new.energy), bad.to(new.energy))
        back = self.space.log_prob(self._logits(new), state.y)
        log_ratio = back - self.space.log_prob(forth, y)
        return metropolis(new, state, log_ratio, noise.threshold)

    def _logits(self, state: State) -> Tensor:
        """What each site is drawn from."""
        return (self.space.pull(state.y) / self.step_size - state.grad) / 2
