"""Signs of trouble that count once they last, each told once."""

import warnings
from collections.abc import Mapping
from typing import Any

from ebmlab._checks import require_counts
from ebmlab._ranks import rank_number
from ebmlab.errors import CollapseError

__all__ = ["Signs"]


class Signs:
    """Remembers how long each sign has lasted, and of which kinds of trouble it has told.

    On several ranks, which are to see the same signs, the first one warns, and all raise.

    Args:
        patience: looks in a row after which a sign counts.
        warning: the class of the warning.
        stop: raise `CollapseError` instead.
    """

    def __init__(self, patience: int, warning: type[Warning], *, stop: bool) -> None:
        require_counts(patience=patience)
        self.patience, self.warning, self.stop = patience, warning, stop
        self._streaks: dict[str, int] = {}
        self._told: set[str] = set()

    def lasts(self, name: str, present: bool) -> bool:
        """Whether a sign has now been there for `patience` looks in a row."""
        self._streaks[name] = self._streaks.get(name, 0) + 1 if present else 0
        return self._streaks[name] >= self.patience

    def tell(self, kind: str, said: str) -> None:
        """Warn, or raise, the first time that a kind of trouble is told of."""
        if kind in self._told:
            return
        self._told.add(kind)
        if self.stop:
            raise CollapseError(said)
        if rank_number() == 0:
            warnings.warn(said, self.warning, stacklevel=4)

    def state_dict(self) -> dict[str, Any]:
        """What is remembered: looks in a row of each sign, and the kinds told of."""
        return {"streaks": dict(self._streaks), "told": sorted(self._told)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._streaks = {str(name): int(looks) for name, looks in state["streaks"].items()}
        self._told = set(map(str, state["told"]))
