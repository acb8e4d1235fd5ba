"""Compiled programs: one for every potential and shape, with a way back to eager."""

import functools
import types
import warnings
import weakref
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor

from ebmlab._rows import mapped
from ebmlab.types import Potential

__all__ = ["CompiledPotential", "Program", "program"]

# A wrapper in C++ spares microseconds per call, but does not know every operation.
_OPTIONS: tuple[dict[str, Any], ...] = ({"cpp_wrapper": True}, {})
_PROGRAMS: weakref.WeakKeyDictionary[Any, dict[Hashable, "Program"]] = weakref.WeakKeyDictionary()

Lowered = Callable[..., Any]


class Program:
    """A function, compiled whole at its first call; eager after one warning if that fails.

    The compiler keeps its versions of a function with the function's code and gives up after a
    few. A program is compiled from a copy of the code, so that programs do not count against
    each other.

    Args:
        function: of tensors and of what holds them; no host sync, no branch on values.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.compiled: Callable[..., Any] | None = None
        self.failed = False
        self.last: tuple[Lowered, tuple[Any, ...], Any] | None = None

    def __call__(self, *inputs: Any) -> Any:
        """What the function returns; no gradients are recorded."""
        with torch.no_grad():
            if self.failed:
                return self.function(*inputs)
            if self.compiled is not None:
                return self.compiled(*inputs)
            return self._first(inputs)

    def replay(self, moving: Any, out: Any) -> Callable[[Any], Any] | None:
        """The last call as a function of its moving inputs alone, or None if that is unclear.

        The compiler checks at every call whether its program still fits, at a few hundred
        microseconds. In a loop where nothing but some tensors changes, once is enough.

        Args:
            moving: the inputs of the last call that will change: a tree of tensors.
            out: what it returned.
        """
        if self.failed or self.last is None:
            return None
        lowered, inputs, results = self.last
        return _Replay.of(lowered, inputs, results, moving, out)

    def _first(self, inputs: tuple[Any, ...]) -> Any:
        fault: Exception | None = None
        for options in _OPTIONS:
            backend = functools.partial(self._backend, options)
            compiled = torch.compile(
                _copied(self.function), fullgraph=True, dynamic=False, backend=backend
            )
            try:
                # The compiler warns of itself, which a caller cannot mend.
                with warnings.catch_warnings(action="ignore"):
                    out = compiled(*inputs)
            except Exception as reason:
                fault = reason
            else:
                self.compiled = compiled
                return out
        self.failed = True
        # If the function itself is wrong, its own error says so best.
        out = self.function(*inputs)
        reasons = str(fault).strip().splitlines() or [type(fault).__name__]
        warnings.warn(
            f"this energy cannot be compiled and runs as it is: {' '.join(reasons[:3])}; write it "
            "in tensor operations with no branches on values and no random numbers, or leave "
            "compile=False",
            stacklevel=6,
        )
        return out

    def _backend(self, options: dict[str, Any], graph: Any, inputs: list[Any]) -> Lowered:
        lowered = _lower(graph, inputs, options)

        def noted(*inputs: Any) -> Any:
            results = lowered(*inputs)
            self.last = lowered, inputs, results
            return results

        return noted


def _lower(graph: Any, inputs: list[Any], options: dict[str, Any]) -> Lowered:
    from torch._inductor.compile_fx import compile_fx

    if any(isinstance(given, Tensor) and given.is_cuda for given in inputs):
        options = {}  # there, kernels are launched ahead of the wrapper anyway
    return cast(Lowered, compile_fx(graph, inputs, config_patches=options))


class _Replay(NamedTuple):
    """A lowered program; which of its inputs move, which of its results make the output `form`."""

    lowered: Lowered
    inputs: tuple[Any, ...]
    slots: dict[int, int]
    out: list[int]
    form: Any

    @classmethod
    def of(
        cls, lowered: Lowered, inputs: tuple[Any, ...], results: Any, moving: Any, out: Any
    ) -> Self | None:
        """Tell inputs and results apart by identity."""
        leaves, wanted = _leaves(moving), _leaves(out)
        place = {id(leaf): k for k, leaf in enumerate(leaves)}
        made = {id(result): k for k, result in enumerate(results)}
        if len(place) < len(leaves) or any(id(leaf) not in made for leaf in wanted):
            return None
        slots = {k: place[id(value)] for k, value in enumerate(inputs) if id(value) in place}
        return cls(lowered, inputs, slots, [made[id(leaf)] for leaf in wanted], out)

    def __call__(self, moving: Any) -> Any:
        """What the program makes of other moving inputs; None if they lie otherwise in memory."""
        leaves, inputs = _leaves(moving), list(self.inputs)
        for position, leaf in self.slots.items():
            if leaves[leaf].stride() != inputs[position].stride():
                return None
            inputs[position] = leaves[leaf]
        with torch.no_grad():
            results = self.lowered(*inputs)
        made = iter([results[k] for k in self.out])
        return mapped(lambda _: next(made), self.form)


def _leaves(tree: Any) -> list[Tensor]:
    """The tensors of tuples in tuples, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [leaf for part in tree for leaf in _leaves(part)]


def program(function: Callable[..., Any], owner: object, key: Hashable) -> Program:
    """The program of a function for an owner (an energy, a callable) and a key, made once."""
    try:
        programs = _PROGRAMS.setdefault(owner, {})
    except TypeError:  # no weak reference to it can be kept
        return Program(function)
    return programs.setdefault(key, Program(function))


class CompiledPotential(Potential):
    """A potential whose `value_and_grad` is one compiled program.

    Example:
        >>> u = CompiledPotential(Potential(lambda y: y.square().sum(-1)))
        >>> u(torch.ones(1, 2))  # as before; the compiler starts at the first `value_and_grad`
        tensor([2.])
    """

    def __init__(self, u: Potential) -> None:
        super().__init__(u, origin=u.origin)
        self.u = u

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (chains,) and their gradient (chains, *event)."""
        key = ("value_and_grad", y.shape, y.dtype, y.device)
        return program(_value_and_grad, self.origin, key)(self.u, y.detach())


def _value_and_grad(u: Potential, y: Tensor) -> tuple[Tensor, Tensor]:
    return u.value_and_grad(y)


def _copied(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a code object of its own."""
    assert isinstance(function, types.FunctionType)
    own = function.__code__.replace(), function.__globals__, function.__name__
    copy = types.FunctionType(*own, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
