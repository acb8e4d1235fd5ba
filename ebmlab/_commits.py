"""What a loss is, and what is to be done after the optimizer's step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebmlab._recalled import recalled
from ebmlab._shown import Shown
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Commit", "Loss", "Shared", "Stepped", "committed", "nothing"]


def nothing() -> None:
    """The commit of what has no state."""


class Stepped(Shown, ABC):
    """A module that moves once per optimizer step: teachers, unit prototypes, clocks."""

    @abstractmethod
    def step(self) -> None:
        """Move; called by `Loss.commit`."""


class Loss(NamedTuple):
    """What an objective returns; call `value.backward()`, step the optimizer, then `commit()`.

    Attributes:
        value: the scalar to descend.
        terms: its summands, detached.
        metrics: what to watch, detached tensors.
        commit: moves all state that no gradient moves; call it once, after the optimizer's step.
    """

    value: Tensor
    terms: dict[str, Tensor]
    metrics: dict[str, Tensor]
    commit: Callable[[], None] = nothing


@dataclass(frozen=True, eq=False)
class Shared:
    """An energy and data whose codes are made once, by whoever looks at them first."""

    energy: Energy
    x: Tree
    y: Tree

    @cached_property
    def codes(self) -> Codes:
        """The codes, once."""
        return recalled(self.energy.codes(self.x, self.y))


@dataclass(frozen=True, eq=False)
class Commit:
    """What a loss leaves to be done: the state that its batch moves, then what steps move."""

    own: Callable[[], None]
    shared: Shared
    objective: nn.Module

    def __call__(self) -> None:
        """Move everything."""
        self.batch()
        for module in _stepped(self.shared.energy, self.objective):
            module.step()

    def batch(self) -> None:
        """Move what each batch moves."""
        self.own()
        with torch.no_grad():
            self.shared.codes.update()


def _stepped(*roots: nn.Module) -> list[Stepped]:
    """What moves with a step, each once, whole before part; `modules()` is slow, for its names."""
    seen: dict[nn.Module, None] = {}

    def walk(module: nn.Module) -> None:
        seen[module] = None
        for child in module._modules.values():
            if child is not None and child not in seen:
                walk(child)

    for root in roots:
        walk(root)
    return [module for module in seen if isinstance(module, Stepped)]


def committed(losses: Sequence[Loss]) -> None:
    """Commit the losses of the batches that one step saw: every batch counts, clocks move once."""
    *before, last = losses
    for loss in before:
        loss.commit.batch() if isinstance(loss.commit, Commit) else loss.commit()
    last.commit()
