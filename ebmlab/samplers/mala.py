"""Langevin proposals with a Metropolis test."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import finite_rows, norms, row_sums, rows, select
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.kernel import Kernel
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.samplers.tunable import Tunable
from ebmlab.types import Potential, State

__all__ = ["MALA", "MetropolisInfo", "MetropolisNoise", "metropolis"]


class MetropolisNoise(NamedTuple):
    """What leads the proposal, (chains, *event), and a threshold (chains,) in [0, 1)."""

    push: Tensor
    threshold: Tensor


class MetropolisInfo(NamedTuple):
    """Acceptance probabilities, and which proposals were not finite (rejected), both (chains,)."""

    acceptance: Tensor
    nonfinite: Tensor


@dataclass(frozen=True, eq=False)
class MALA(Tunable, Kernel):
    """Metropolis-adjusted Langevin: leaves exp(-u) exactly invariant at any step size.

    Propose y' = y - ε M ∇u + √(2ε) L ξ, M = L Lᵀ, and accept with probability
    min(1, exp(u(y) - u(y')) q(y | y') / q(y' | y)), q the density of the proposal. A proposal
    whose energy or gradient is NaN or +∞ is rejected and counted.

    Args:
        step_size: ε > 0. For temperature T sample u / T.
        metric: M, the identity by default; `warmup` finds one.
        clamp: bound c > 0 of the length of Lᵀ∇u in proposals, there and back; None for no bound.
            Chains that start where u is steep would else leap past its valley, be rejected, and
            never move. About 1/√ε is right; exp(-u) stays invariant.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> run(MALA(0.5), u, torch.zeros(100, 2), steps=50, rng=rng).acceptance.mean() > 0.8
        tensor(True)

    Source: Besag 1994; Roberts, Tweedie 1996 (the clamp: their truncated MALTA).
    """

    numbers: ClassVar[tuple[str, ...]] = ("step_size",)
    target_acceptance: ClassVar[float] = 0.57  # proposals are single leaps

    step_size: float | Tensor
    metric: Metric = IDENTITY
    clamp: float | None = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        if self.clamp is not None:
            require_positive("clamp", self.clamp)

    def draw(self, state: State, source: Source) -> MetropolisNoise:
        """The push of the proposal, and the threshold of its test."""
        return MetropolisNoise(source.normal(state.y), source.uniform(state.energy))

    def move(
        self, u: Potential, state: State, noise: MetropolisNoise
    ) -> tuple[State, MetropolisInfo]:
        """Propose and accept or reject every chain on its own."""
        m, push = self.metric, noise.push
        whitened = self._bounded(m.gather(state.grad))
        reach = (2 * self.step_size) ** 0.5
        y = state.y + m.spread(reach * push - self.step_size * whitened)
        new = State(y, *u.value_and_grad(y))
        # The way back needs the noise that would lead from y to state.y.
        back = push - (0.5 * self.step_size) ** 0.5 * (
            whitened + self._bounded(m.gather(new.grad))
        )
        log_ratio = 0.5 * row_sums(push.square() - back.square())
        return metropolis(new, state, log_ratio, noise.threshold)

    def _bounded(self, grad: Tensor) -> Tensor:
        """The gradient, shortened where it is longer than `clamp`."""
        if self.clamp is None:
            return grad
        return grad * rows((self.clamp / norms(grad)).clamp(max=1), grad)


def metropolis(
    new: State, old: State, log_ratio: Tensor, threshold: Tensor
) -> tuple[State, MetropolisInfo]:
    """Accept where threshold < exp(u(y) - u(y') + log_ratio), log_ratio = log q(y|y') / q(y'|y).

    Proposals whose energy or gradient is NaN or +∞ are rejected and counted.
    """
    finite = new.energy.isfinite() & finite_rows(new.grad)
    log_accept = old.energy - new.energy + log_ratio
    probability = torch.where(finite, log_accept.clamp(max=0).exp(), 0.0)
    # An energy of -∞ is taken, so that the watch over the chains sees it.
    accept = (threshold < probability) | new.energy.isneginf()
    return select(accept, new, old), MetropolisInfo(probability, (~finite).to(probability))
