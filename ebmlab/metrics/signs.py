"""Signs of trouble that count once they last, each told once."""

import warnings

from ebmlab._checks import require_counts
from ebmlab.errors import CollapseError

__all__ = ["Signs"]


class Signs:
    """Remembers how long each sign has lasted, and of which kinds of trouble it has told.

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
        warnings.warn(said, self.warning, stacklevel=4)
