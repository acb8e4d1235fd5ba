"""`Stateful`: what is kept with a run."""

from typing import Any, Protocol, runtime_checkable

__all__ = ["Stateful"]


@runtime_checkable
class Stateful(Protocol):
    """What is kept with a run: a watch that counts, a logger that has a place."""

    def state_dict(self) -> dict[str, Any]:
        """Numbers, strings, None, tensors, and tuples, lists and dicts of them."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from there."""
        ...
