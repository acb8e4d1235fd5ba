"""Whether a program is being traced, so that nothing may depend on the values of tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

__all__ = ["traced", "tracing"]

_inside = ContextVar("_inside", default=False)


def tracing() -> bool:
    """Whether values are unknown now: a program is traced, or `torch.compile` is at work."""
    return torch.compiler.is_compiling() or _inside.get()


@contextmanager
def traced() -> Iterator[None]:
    """What happens inside is traced."""
    before = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(before)
