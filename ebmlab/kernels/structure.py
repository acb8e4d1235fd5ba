"""What a program closes over: the tensors that something holds, and all else that shapes code."""

import functools
import sys
import sysconfig
import types
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["Structure"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, Enum)
_INSTALLED = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


class Structure:
    """The tensors that anything holds, in the order of a walk, and a key of all that is not one.

    Two things of one key run the same operations on their own tensors: the key has the types, the
    plain values, the code of functions and classes, and of tensors their shapes, layouts, types
    and devices, and which of them are the same. What code names globally is followed too, up to
    code that is installed, which does not change while a program lives.

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
        self._later: list[Any] = []
        self.key = self._of(held), *map(self._of_code, self._later)
        del self._seen, self._met, self._later

    def _of(self, part: Any) -> Hashable:
        if isinstance(part, _PLAIN):
            return type(part), part
        if id(part) in self._seen:
            return "seen", self._seen[id(part)]
        self._seen[id(part)] = len(self._seen)
        self._met.append(part)
        if isinstance(part, Tensor):
            self.tensors.append(part)
            return "tensor", type(part), part.shape, part.stride(), part.dtype, part.device
        if isinstance(part, types.FunctionType | type):
            self._later.append(part)  # not now: what calls what may go deep
            return "later", self._seen[id(part)]
        return self._of(type(part)), *self._inside(part)

    def _inside(self, part: Any) -> Iterator[Hashable]:
        if isinstance(part, tuple(_PARTS)):
            parts = next(parts for kind, parts in _PARTS.items() if isinstance(part, kind))
            yield from map(self._of, parts(part))
        elif isinstance(part, set | frozenset):
            yield frozenset(map(self._of, part))
        elif attributes := _attributes(part):
            yield from ((name, self._of(value)) for name, value in attributes)
        else:
            self.kept.append(part)
            yield id(part)

    def _of_code(self, part: types.FunctionType | type) -> Hashable:
        """A function, or a class: its name, and what it is made of unless it is installed."""
        settled = _settled(part.__module__)
        if isinstance(part, type):
            return part, *([] if settled else self._of_class(part))
        cells = [*map(_content, part.__closure__ or ())]
        inside = map(self._of, (part.__defaults__, part.__kwdefaults__, cells))
        around = [] if settled else self._around(_names(part.__code__), part.__globals__)
        return part.__code__, *inside, *around

    def _of_class(self, kind: type) -> Iterator[Hashable]:
        yield from map(self._of, kind.__bases__)
        for name, value in vars(kind).items():
            if not name.startswith("__") or isinstance(value, types.FunctionType):
                yield name, self._of(value)

    def _around(self, names: tuple[str, ...], around: dict[str, Any]) -> Iterator[Hashable]:
        """What code names globally, or as an attribute of a module that it names."""
        for name in names:
            value = around.get(name)
            if not isinstance(value, types.ModuleType):
                yield self._of(value)
            elif not _settled(value.__name__):
                yield from self._around(names, vars(value))


_PARTS: dict[type, Callable[[Any], Any]] = {
    tuple: tuple,
    list: tuple,
    dict: lambda part: part.items(),
    types.MethodType: lambda part: (part.__func__, part.__self__),
    functools.partial: lambda part: (part.func, part.args, part.keywords),
    property: lambda part: (part.fget, part.fset),
    functools.cached_property: lambda part: (part.func,),
    staticmethod: lambda part: (part.__func__,),
    classmethod: lambda part: (part.__func__,),
}


@functools.lru_cache(1024)
def _settled(module: str | None) -> bool:
    """Whether a module is installed (or this package): code that nobody writes as they go."""
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names or top in ("torch", __name__.partition(".")[0]):
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is not None and any(root in Path(file).parents for root in _INSTALLED)


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
