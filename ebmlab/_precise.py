"""Single precision or better, whatever the parameters' type: of numbers, and of state."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

__all__ = ["FULL", "SINGLE", "Precise", "precise", "precise_type", "scale_of"]

SINGLE = torch.float32
FULL = frozenset((torch.float32, torch.float64))


def precise_type(dtype: torch.dtype, at_least: torch.dtype = SINGLE) -> torch.dtype:
    """The type itself, or float32 where it is narrower."""
    return torch.promote_types(dtype, at_least)


def precise(t: Tensor) -> Tensor:
    """The tensor in float32 or better.

    Example:
        >>> precise(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return t if t.itemsize >= 4 else t.float()


def scale_of(t: Tensor) -> Tensor:
    """The power of two at or below each |t|: dividing by it rounds nothing.

    Squares of what it has scaled neither overflow nor vanish.

    Example:
        >>> scale_of(torch.tensor([5.0, 0.75, 0.0]))
        tensor([4.0000, 0.5000, 0.5000])
    """
    return torch.ldexp(torch.ones_like(t), torch.frexp(t).exponent - 1)


class Precise(nn.Module):
    """A module whose state adds up, and is therefore never cast below float32.

    In half precision sums stall: 256 + 1 = 256 in bfloat16. The buffers named in `floors` follow
    the module to other devices and to float64, and keep their bits where it goes to half.

    Attributes:
        floors: the lowest type of each such buffer. Register them in it.

    Example:
        >>> class Counter(Precise):
        ...     floors = {"count": SINGLE}
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("count", torch.zeros(()))
        >>> Counter().bfloat16().count.dtype, Counter().double().count.dtype
        (torch.float32, torch.float64)
    """

    floors: ClassVar[Mapping[str, torch.dtype]] = {}

    def _apply(self, fn: Callable[[Tensor], Any], recurse: bool = True) -> Self:
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, floor in self.floors.items():
            old, new = before.get(name), self._buffers.get(name)
            if old is not None and new is not None and new.is_floating_point():
                kind = precise_type(new.dtype, floor)
                self._buffers[name] = new if kind == new.dtype else old.to(new.device, kind)
        return self
