"""Flags that a module has because a part of it has them."""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

__all__ = ["Derived", "Flagged"]


class Derived:
    """True where a part says so, looked up once; who sets the flag itself decides for all above.

    Parts are the nearest `Flagged` modules below; what lies between (encoders, lists) is passed.

    Example:
        >>> class Part(Flagged, nn.Module):
        ...     pass
        >>> whole, part = Part(), Part()
        >>> whole.layers, part.couples = nn.Sequential(nn.Tanh(), part), True
        >>> whole.couples, Part().couples
        (True, False)
    """

    def __init__(self) -> None:
        self.known: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: nn.Module | None, owner: type) -> bool:
        """Whether a part has the flag."""
        if module is None:
            return False
        if torch.compiler.is_compiling():
            return self._below(module)  # a guard on what is known would fail as other modules die
        known = self.known.get(module)
        if known is None:
            known = self.known[module] = self._below(module)
        return known

    def _below(self, module: nn.Module) -> bool:
        return any(
            getattr(part, self.name) if isinstance(part, Flagged) else self._below(part)
            for part in module.children()
        )


def _derived() -> Any:
    return Derived()


class Flagged:
    """A module that may depend on more than its own row, or draw random numbers.

    Attributes:
        couples: whether what it says of a datum depends on the others of the batch.
        stochastic: whether it needs `rng`.
    """

    couples: bool = _derived()
    stochastic: bool = _derived()
