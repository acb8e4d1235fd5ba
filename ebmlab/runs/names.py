"""Looking up what the command line calls by name."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from ebmlab.errors import ConfigurationError

__all__ = ["named"]

_T = TypeVar("_T")


def named(what: str, name: str, table: Mapping[str, _T]) -> _T:
    """The entry of this name.

    Raises:
        ConfigurationError: there is none; similar names are proposed, or all are listed.

    Example:
        >>> named("data", "Digit", {"digits": 1, "mnist": 2})
        Traceback (most recent call last):
        ebmlab.errors.ConfigurationError: data is 'Digit'; did you mean digits?
    """
    if name in table:
        return table[name]
    similar = " or ".join(difflib.get_close_matches(name.lower(), table))
    hint = f"did you mean {similar}?" if similar else f"there are {', '.join(table)}"
    raise ConfigurationError(f"{what} is {name!r}; {hint}")
