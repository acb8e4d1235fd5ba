"""JSON as it was meant: no key twice, no number that is none, and bounded however it is nested."""

import json
import math
from typing import Any

__all__ = ["parsed"]

# Lists and dicts in a text; each takes many times the memory of its brackets.
MOST = 2**20


def parsed(text: str, *, finite: bool = True) -> Any:
    """The value of a JSON text.

    Args:
        text: to be read.
        finite: refuse NaN and infinite numbers, however they are spelled.

    Raises:
        ValueError: it is no JSON, nested too deeply, too long, or holds a key twice.

    Example:
        >>> parsed('{"epochs": 3}')
        {'epochs': 3}
        >>> parsed('{"epochs": 3, "epochs": 4}')
        Traceback (most recent call last):
        ValueError: the key 'epochs' stands twice
    """
    if text.count("[") + text.count("{") > MOST:
        raise ValueError(f"more than {MOST:,} lists and dicts")
    number = _finite if finite else float
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=number, parse_float=number)
    except RecursionError as error:
        raise ValueError("lists and dicts are nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no finite number")
    return number
