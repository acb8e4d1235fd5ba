"""Random numbers of ranks that are those of one process: its rows of one common draw."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Size, Tensor
from torch._C import DisableTorchFunction
from torch.overrides import TorchFunctionMode
from torch.overrides import _get_current_function_mode_stack as _modes

from ebmlab.samplers import kernel
from ebmlab.samplers._run import blocks
from ebmlab.samplers._steps import source

# Functions of a size, and how many arguments stand before it.
SIZED = {torch.randn: 0, torch.rand: 0, torch.randint: None}
INPLACE = (Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.exponential_, Tensor.bernoulli_)


# Generators of all ranks together, whose numbers are not dealt.
COMMON: set[torch.Generator] = set()


class Dealt(TorchFunctionMode):
    """What is drawn for this rank's rows is its part of what is drawn for the rows of all.

    All ranks hand the same generators to the same draws. The rows are the first dimension whose
    size is a multiple of `rows`, which no other size of the test is; what has none is the same on
    all ranks.
    """

    def __init__(self, rank: int, ranks: int, rows: int) -> None:
        super().__init__()
        self.rank, self.ranks, self.rows = rank, ranks, rows
        # Seeds of all ranks together, and what is patched where numbers are counted from seeds.
        self.common_seeds: set[int] = set()
        self.patched = ExitStack()

    def __enter__(self) -> "Dealt":
        for name in ("normals", "uniforms"):
            dealt = partial(self._counted, getattr(source, name))
            self.patched.enter_context(mock.patch.object(source, name, dealt))
        for module in (kernel, blocks):
            seeds = partial(self._seeds, module.fresh_seeds)
            self.patched.enter_context(mock.patch.object(module, "fresh_seeds", seeds))
        return super().__enter__()

    def __exit__(self, *reason: Any) -> None:
        self.patched.close()
        super().__exit__(*reason)

    def _seeds(self, fresh: Callable, rng: torch.Generator, steps: int) -> Tensor:
        seeds = fresh(rng, steps)
        if rng in COMMON:
            self.common_seeds.update(seeds.tolist())
        return seeds

    def _counted(self, count: Callable, seeds: Tensor, like: Tensor, stream: int) -> Tensor:
        if self.common_seeds.issuperset(seeds.flatten().tolist()):
            return count(seeds, like, stream)
        lead = len(seeds.shape)
        return self._own(
            seeds.shape + like.shape,
            lambda size: count(seeds, like.new_empty(size[lead:]), stream),
        )

    @classmethod
    def among_all(cls, n: int, draw: Callable[[int], Tensor]) -> Tensor:
        """The part of this rank of n points for each, drawn at once by a function of how many."""
        dealt = next((mode for mode in _modes() if isinstance(mode, cls)), None)
        if dealt is None:
            return draw(n)
        with DisableTorchFunction():
            return dealt._own((n,), lambda whole: draw(whole[0]))

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None or kwargs["generator"] in COMMON:
            return func(*args, **kwargs)
        if func in SIZED:
            return self._sized(func, args, kwargs)
        if func in INPLACE:
            return args[0].copy_(
                self._own(
                    args[0].shape, lambda size: func(args[0].new_empty(size), *args[1:], **kwargs)
                )
            )
        if func in (torch.multinomial, Tensor.multinomial):
            return self._multinomial(func, *args, **kwargs)
        return func(*args, **kwargs)

    def _sized(self, func: Callable, args: tuple, kwargs: dict) -> Tensor:
        if "size" in kwargs:
            size, before = kwargs.pop("size"), args
        elif isinstance(args[-1], (tuple, list)):
            size, before = args[-1], args[:-1]
        else:
            size, before = args, ()
        return self._own(size, lambda whole: func(*before, tuple(whole), **kwargs))

    def _multinomial(self, func: Callable, p: Tensor, n: int, *args: Any, **kwargs: Any) -> Tensor:
        if p.ndim == 1:
            return self._own((n,), lambda whole: func(p, whole[0], *args, **kwargs))
        return func(p, n, *args, **kwargs)

    def _own(self, size: Any, draw: Callable[[list[int]], Tensor]) -> Tensor:
        size = list(Size(size))
        dim = next((i for i, n in enumerate(size) if n and n % self.rows == 0), None)
        if dim is None:
            return draw(size)
        whole = draw([n * self.ranks if i == dim else n for i, n in enumerate(size)])
        # Several points for each row lie copy by copy.
        each = whole.unflatten(dim, (size[dim] // self.rows, -1))
        own = each.narrow(dim + 1, self.rank * self.rows, self.rows)
        return own.flatten(dim, dim + 1)
