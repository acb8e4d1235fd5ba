"""Gibbs with gradients: one informed change of a discrete y, with a Metropolis test."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.discrete import BINARY, Informed, StateSpace, gumbel_like
from ebmlab.samplers.mala import MetropolisInfo, MetropolisNoise, metropolis
from ebmlab.types import Potential, State

__all__ = ["GibbsWithGradients"]


@dataclass(frozen=True, eq=False)
class GibbsWithGradients(Informed):
    """Change one site, i ~ softmax(d / 2), d_i ≈ u(y) - u(y with i changed), and accept or reject.

    To first order d = (2y - 1) ∇u for binary y, and d = ⟨y_i, ∇u_i⟩ - ∂u/∂y_ik for a change of
    site i to state k. The test weighs the proposal by its reverse, so that exp(-u) is left exactly
    invariant, whatever the gradient is worth. Any event shape; for temperature T sample u / T.

    Args:
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError, ShapeError: a chain starts outside the space.

    Example:
        >>> from ebmlab.energies import Ising
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u, start = Ising((4, 4), coupling=0.3).given(), torch.zeros(100, 4, 4)
        >>> run(GibbsWithGradients(), u, start, steps=50, rng=rng).state.y.unique()
        tensor([0., 1.])

    Source: Grathwohl, Swersky, Hashemi, Duvenaud, Maddison 2021, arXiv:2102.04509.
    """

    space: StateSpace = BINARY

    def draw(self, state: State, source: Source) -> MetropolisNoise:
        """Gumbel noise to choose the change by, and the threshold of its test."""
        return MetropolisNoise(gumbel_like(state.y, source.rng), source.uniform(state.energy))

    def move(
        self, u: Potential, state: State, noise: MetropolisNoise
    ) -> tuple[State, MetropolisInfo]:
        """Propose one change and accept or reject it, every chain on its own."""
        forth = self._log_proposal(state)
        best = (forth + noise.push.reshape(forth.shape)).argmax(1, keepdim=True)
        chosen = torch.zeros_like(forth, dtype=torch.bool).scatter(1, best, True)
        y, undo = self.space.change(state.y, chosen.reshape(state.y.shape))
        new = State(y, *u.value_and_grad(y))
        back = torch.where(undo.reshape(forth.shape), self._log_proposal(new), 0.0).sum(1)
        log_ratio = back - forth.gather(1, best).squeeze(1)
        return metropolis(new, state, log_ratio, noise.threshold)

    def _log_proposal(self, state: State) -> Tensor:
        """Log probability of each change, (chains, changes)."""
        gains = self.space.gains(state.y, state.grad)
        return (0.5 * gains).reshape(len(gains), -1).log_softmax(1)
