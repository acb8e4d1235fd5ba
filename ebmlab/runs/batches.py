"""The batches that a run sees, by step."""

from typing import Any

from torch import Tensor

from ebmlab._rows import mapped
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import kind_of
from ebmlab.training.batches import Batch, Draws, Source, own_rows
from ebmlab.types import Tree

__all__ = ["Batches"]


class Batches(Source):
    """A function of step and generators: what `fit` draws from.

    Each rank draws the views of the whole batch and takes its rows, so that they are those of
    one process.
    """

    def __init__(self, built: Built) -> None:
        self.built = built
        self._kind = kind_of(built.config.method)
        own_rows(built.order.size)

    def batch(self, step: int, draws: Draws) -> Batch:
        """This rank's rows of the batch of a step."""
        rows = self.built.order.rows(step - 1).to(self.built.device)
        x, y = self._kind.batch(self.built, rows, draws.common)
        return _own(x, len(rows)), _own(y, len(rows))

    def state_dict(self) -> dict[str, Any]:
        """Nothing: step and generators say all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


def _own(tree: Tree, count: int) -> Tree:
    """This rank's rows of whatever has the batch; what all share, as a support, stays whole."""
    own = own_rows(count)

    def part(leaf: Tensor) -> Tensor:
        return leaf[own] if len(leaf) == count else leaf

    return None if tree is None else mapped(part, tree)
