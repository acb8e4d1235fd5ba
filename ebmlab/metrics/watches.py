"""`Watches`: several watches as one."""

from collections.abc import Callable, Mapping
from typing import Any, final

from torch import Tensor, nn

from ebmlab._stateful import Stateful
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Loss
from ebmlab.types import Tree

__all__ = ["Watches"]

Numbers = Mapping[str, Tensor | float]
Looks = Callable[[nn.Module, tuple[Tree, Tree], Loss], Numbers]


@final
class Watches:
    """Several watches as one; those given by a name say it before each of their numbers.

    The state is that of the watches that have one (`state_dict` and `load_state_dict`), under
    their names or numbers.

    Raises:
        ConfigurationError: two give the same number, or a state is not that of these watches.

    Example:
        >>> both = Watches(lambda *_: {"rank": 3.0}, held=lambda *_: {"rank": 2.0})
        >>> both(nn.Identity(), (None, None), Loss(Tensor(), {}, {}))
        {'rank': 3.0, 'held.rank': 2.0}
    """

    def __init__(self, *watches: Looks, **named: Looks) -> None:
        self.watches: Mapping[str, Looks] = {
            **{str(i): watch for i, watch in enumerate(watches)}, **named
        }  # fmt: skip

    def __call__(
        self, method: nn.Module, batch: tuple[Tree, Tree], loss: Loss
    ) -> dict[str, Tensor | float]:
        """The numbers of all; what `fit` calls."""
        numbers: dict[str, Tensor | float] = {}
        for key, watch in self.watches.items():
            for name, number in watch(method, batch, loss).items():
                whole = name if key.isdigit() else f"{key}.{name}"
                if whole in numbers:
                    raise ConfigurationError(
                        f"two watches give {whole!r}; name one of them, as in "
                        "Watches(first, second=other)"
                    )
                numbers[whole] = number
        return numbers

    def state_dict(self) -> dict[str, Any]:
        """The state of each that has one."""
        return {key: watch.state_dict() for key, watch in self._stateful().items()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            ConfigurationError: it is the state of other watches, or of something else.
        """
        stateful = self._stateful()
        if set(state) != set(stateful):
            raise ConfigurationError(
                f"the state is of watches {', '.join(sorted(state)) or '(none)'}, but those here "
                f"are {', '.join(sorted(stateful)) or '(none)'}"
            )
        for key, watch in stateful.items():
            watch.load_state_dict(state[key])

    def _stateful(self) -> dict[str, Stateful]:
        return {key: watch for key, watch in self.watches.items() if isinstance(watch, Stateful)}
