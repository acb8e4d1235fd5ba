"""One optimizer for each of several players, stepped as one."""

from collections import ChainMap
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ebmlab._kinds import require_a
from ebmlab.errors import ConfigurationError

__all__ = ["Players"]


class Players(torch.optim.Optimizer):
    """Several optimizers, each of its own parameters, that step together.

    `fit`, schedules and checkpoints take it as any other: its parameter groups are theirs, in
    order, and its state is theirs side by side. Two players with one kind of optimizer are
    two parameter groups of it as well.

    Args:
        optimizers: one for each player.

    Raises:
        ConfigurationError: none is given, two hold one parameter, or a group is to be added here.

    Example:
        >>> from torch import nn
        >>> critic, generator = nn.Linear(2, 1), nn.Linear(3, 2)
        >>> players = Players(
        ...     torch.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.0, 0.9)),
        ...     torch.optim.SGD(generator.parameters(), lr=1e-2),
        ... )
        >>> [group["lr"] for group in players.param_groups]
        [0.0004, 0.01]
    """

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        mend = "Players(torch.optim.Adam(…), torch.optim.Adam(…))"
        for optimizer in optimizers:
            require_a(torch.optim.Optimizer, "a player's optimizer", optimizer, mend)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        held = [p for group in groups for p in group["params"]]
        if not held or len({id(p) for p in held}) < len(held):
            raise ConfigurationError(
                f"{len(optimizers)} optimizers hold {len(held)} parameters, one of them twice; "
                "give each player those of its own"
                if held
                else f"no player has an optimizer; pass some: {mend}"
            )
        self.optimizers: tuple[torch.optim.Optimizer, ...] = ()
        super().__init__([{"params": group["params"]} for group in groups], {})
        self.optimizers = optimizers
        self._gather()

    def _gather(self) -> None:
        """Groups and states are those of the parts themselves, not copies."""
        self.param_groups = [group for part in self.optimizers for group in part.param_groups]
        self.state = ChainMap(*[part.state for part in self.optimizers])  # pyright: ignore[reportAttributeAccessIssue]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refused: a group belongs to one player."""
        if self.optimizers:
            raise ConfigurationError(
                "a group belongs to one player: add it to that one's optimizer, before `Players`"
            )
        super().add_param_group(param_group)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A step of each player."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.optimizers:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As that of one optimizer with the parameters of all in a row, and what players are."""
        state: dict[int, Any] = {}
        groups: list[dict[str, Any]] = []
        for part, first in self._numbered():
            own = part.state_dict()
            state |= {first + i: kept for i, kept in own["state"].items()}
            groups += [_shifted(group, first) for group in own["param_groups"]]
        return {"state": state, "param_groups": groups, "players": self._names()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore each player.

        Raises:
            ConfigurationError: there were other players.
        """
        if state_dict.get("players") != self._names():
            raise ConfigurationError(
                f"the state is of players {state_dict.get('players')}; these are {self._names()}"
            )
        groups = iter(state_dict["param_groups"])
        for part, first in self._numbered():
            count = sum(len(group["params"]) for group in part.param_groups)
            own = {i - first: s for i, s in state_dict["state"].items() if 0 <= i - first < count}
            mine = [_shifted(next(groups), -first) for _ in part.param_groups]
            part.load_state_dict({"state": own, "param_groups": mine})
        self._gather()

    def _names(self) -> list[str]:
        return [type(part).__name__ for part in self.optimizers]

    def _numbered(self) -> Iterator[tuple[torch.optim.Optimizer, int]]:
        """Each player, and how many parameters those before it have."""
        first = 0
        for part in self.optimizers:
            yield part, first
            first += sum(len(group["params"]) for group in part.param_groups)


def _shifted(group: dict[str, Any], by: int) -> dict[str, Any]:
    return {**group, "params": [number + by for number in group["params"]]}
