"""Negatives: which points they are, what they cost, and what a commit writes back."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab import FunctionEnergy
from ebmlab.types import Info, Potential, State

FALSE_ALARM = 4.42  # normal quantile: two-sided false-alarm rate 1e-5


@dataclass(frozen=True)
class Count:
    """A kernel that adds 1 to the last coordinate of every chain."""

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        return State(y.detach(), u(y.detach()).detach(), torch.zeros_like(y))

    def step(self, u: Potential, state: State, rng: torch.Generator) -> tuple[State, Info]:
        y = state.y.clone()
        y[:, -1] += 1
        return State(y, u(y).detach(), state.grad), Info(torch.ones_like(state.energy))


FLAT = FunctionEnergy(lambda y: 0.0 * y.sum(-1))
