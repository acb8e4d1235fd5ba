"""What is public: the names that modules list in `__all__`, each with one home."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any, NamedTuple

import ebmlab

__all__ = ["Name", "modules", "names"]

INSIDE = {"cli", "kernels", "tour"}  # commands, and programs that no user calls
# Where a name lives that several modules export: the first of these, else the first by alphabet.
FIRST = ("ebmlab", "ebmlab.types", "ebmlab.protocols", "ebmlab.energy", "ebmlab.inference")


class Name(NamedTuple):
    """One public name, where it is documented."""

    module: str
    name: str
    value: Any

    @property
    def full(self) -> str:
        """As users write it."""
        return f"{self.module}.{self.name}"

    @property
    def kind(self) -> str:
        """Sphinx's directive for it."""
        if isinstance(self.value, type):
            return "autoexception" if issubclass(self.value, BaseException) else "autoclass"
        return "autofunction" if callable(self.value) and not _is_alias(self.value) else "autodata"


def _is_alias(value: Any) -> bool:
    """Whether this is a type's name, as `Tree`, or an instance, which no signature describes."""
    return not (hasattr(value, "__code__") or hasattr(value, "__wrapped__"))


def modules() -> list[str]:
    """The public modules: those at the top, and the modules that they export."""
    found = ["ebmlab"]
    for part in pkgutil.iter_modules(ebmlab.__path__, "ebmlab."):
        stem = part.name.rpartition(".")[2]
        if stem.startswith("_") or stem in INSIDE:
            continue
        module = importlib.import_module(part.name)
        exported = [getattr(module, name) for name in getattr(module, "__all__", ())]
        found += [part.name, *(m.__name__ for m in exported if isinstance(m, ModuleType))]
    return found


def names() -> list[Name]:
    """Every public name once, at its home."""
    order = sorted(modules(), key=lambda m: (FIRST.index(m) if m in FIRST else len(FIRST), m))
    homes: dict[tuple[str, int], Name] = {}
    for path in order:
        module = importlib.import_module(path)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not isinstance(value, ModuleType):
                homes.setdefault((name, id(value)), Name(path, name, value))
    return list(homes.values())
