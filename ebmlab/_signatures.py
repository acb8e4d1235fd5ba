"""What checks have passed, remembered by all that they look at: shapes, types and devices."""

from collections.abc import Hashable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Passed", "own_kind", "signature"]

Found = TypeVar("Found")
Kind = tuple[torch.dtype, torch.device]


class Passed(Generic[Found]):
    """What a check found, by the signature that it follows from; tensors are never kept.

    Whoever asks with all that the check looks at need not forget anything, whichever module is
    cast, copied or changed. Ever new shapes take no more than `most` places: then it starts anew.

    Example:
        >>> passed = Passed(most=2)
        >>> [passed.keep(n, -n) for n in (1, 2, 3)]
        [-1, -2, -3]
        >>> passed.get(1), passed.get(3)
        (None, -3)
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._found: dict[Hashable, Found] = {}
        self.get = self._found.get

    def keep(self, key: Hashable, found: Found) -> Found:
        """Remember it, and give it back."""
        if len(self._found) >= self._most:
            self._found.clear()
        self._found[key] = found
        return found


def signature(*trees: object) -> Hashable:
    """Shape, type and device of each tensor, also of those in tuples; None of None.

    What is no tree of tensors has a signature like no other.

    Example:
        >>> signature((torch.ones(2), None)) == signature((torch.zeros(2), None))
        True
    """
    seen: list[Hashable] = []
    for tree in trees:
        if isinstance(tree, Tensor):
            seen.append((tree.shape, tree.dtype, tree.device))
        elif isinstance(tree, tuple):
            seen.append(signature(*tree))
        else:
            seen.append(None if tree is None else object())
    return tuple(seen)


def own_kind(module: nn.Module) -> Kind | None:
    """Type and device of a module's first parameter of floating point, or else of its buffers'.

    Each call asks for them, and `parameters()` is slow.
    """
    return _floating(module, "_parameters") or _floating(module, "_buffers")


def _floating(module: nn.Module, kind: str) -> Kind | None:
    for tensor in getattr(module, kind).values():
        if tensor is not None and tensor.is_floating_point():
            return tensor.dtype, tensor.device
    for child in module._modules.values():
        found = None if child is None else _floating(child, kind)
        if found is not None:
            return found
    return None
