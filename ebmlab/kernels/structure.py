"""What a program closes over: the tensors that something holds, and all else that shapes code."""

import functools
import types
from collections.abc import Hashable, Iterator
from enum import Enum
from typing import Any

import torch
from torch import Tensor

__all__ = ["Structure"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, Enum, type)


class Structure:
    """The tensors that anything holds, in the order of a walk, and a key of all that is not one.

    Two things of one key run the same operations on their own tensors: the key has the types, the
    plain values, the code of functions, and of tensors their shapes, layouts, types and devices,
    and which of them are the same. What functions name globally is followed where it is a
    tensor, a module, a plain value or a function of the same file.

    Example:
        >>> def scaled(a):
        ...     return lambda y: (a * y).sum(-1)
        >>> one, two = Structure(scaled(torch.ones(2))), Structure(scaled(torch.zeros(2)))
        >>> one.key == two.key, [a.tolist() for a in two.tensors]
        (True, [[0.0, 0.0]])
    """

    def __init__(self, held: Any) -> None:
        self.tensors: list[Tensor] = []
        # Objects told apart by identity stay alive, so that no other can take their place.
        self.kept: list[Any] = []
        self._seen: dict[int, int] = {}
        self._met: list[Any] = []
        self.key = self._of(held)
        del self._seen, self._met

    def _of(self, part: Any) -> Hashable:
        if isinstance(part, _PLAIN):
            return type(part), part
        known = self._seen.setdefault(id(part), len(self._seen))
        if known < len(self._seen) - 1:
            return "seen", known
        self._met.append(part)
        if isinstance(part, Tensor):
            self.tensors.append(part)
            return "tensor", type(part), part.shape, part.stride(), part.dtype, part.device
        return type(part), *self._inside(part)

    def _inside(self, part: Any) -> Iterator[Hashable]:
        if isinstance(part, tuple | list):
            yield from map(self._of, part)
        elif isinstance(part, set | frozenset):
            yield frozenset(map(self._of, part))
        elif isinstance(part, dict):
            yield from ((self._of(name), self._of(value)) for name, value in part.items())
        elif isinstance(part, types.FunctionType):
            yield from self._of_function(part)
        elif isinstance(part, types.MethodType):
            yield from (self._of(part.__func__), self._of(part.__self__))
        elif isinstance(part, functools.partial):
            yield from map(self._of, (part.func, part.args, part.keywords))
        elif attributes := _attributes(part):
            yield from ((name, self._of(value)) for name, value in attributes)
        else:
            self.kept.append(part)
            yield id(part)

    def _of_function(self, function: types.FunctionType) -> Iterator[Hashable]:
        yield function.__code__
        yield from map(self._of, (function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            yield self._of(_content(cell))
        around = function.__globals__
        for name in _names(function.__code__):
            value = around.get(name)
            if isinstance(value, types.FunctionType):
                if value.__globals__ is around:
                    yield name, self._of(value)
            elif isinstance(value, Tensor | torch.nn.Module | bool | int | float):
                yield name, self._of(value)


def _attributes(part: Any) -> list[tuple[str, Any]]:
    slots = [name for kind in type(part).__mro__ for name in getattr(kind, "__slots__", ())]
    found = [(name, getattr(part, name)) for name in slots if hasattr(part, name)]
    return [*found, *getattr(part, "__dict__", {}).items()]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is bound later
        return None


@functools.lru_cache(1024)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """The global names in a function's code and in that of functions inside it."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return tuple(dict.fromkeys([*code.co_names, *(n for part in inner for n in _names(part))]))
