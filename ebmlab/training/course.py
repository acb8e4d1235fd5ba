"""`Course`: all state of a run beside method, optimizer and generators, in one place."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

__all__ = ["Course", "Stateful"]


@runtime_checkable
class Stateful(Protocol):
    """What is kept with a run: a watch that counts, a logger that has a place."""

    def state_dict(self) -> dict[str, Any]:
        """Numbers, strings, None, tensors, and tuples, lists and dicts of them."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from there."""
        ...


class Course:
    """Parts of a run by name, of which those that have state are kept.

    Example:
        >>> Course({"watch": print, "schedule": None}).state_dict()
        {}
    """

    def __init__(self, parts: Mapping[str, object]) -> None:
        self._parts = {name: part for name, part in parts.items() if isinstance(part, Stateful)}

    def state_dict(self) -> dict[str, Any]:
        """The state of each part."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore each part of which there is a state."""
        for name, part in self._parts.items():
            if name in state:
                part.load_state_dict(state[name])
