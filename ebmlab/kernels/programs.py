"""Compiled programs of tensors, shared by all that has one structure, with a way back to eager."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab._rows import leaves_of, mapped
from ebmlab._tracing import traced
from ebmlab.kernels import lowering
from ebmlab.kernels.structure import Structure
from ebmlab.types import Potential

__all__ = ["CompiledPotential", "Program"]

KEPT = 256


class _Made(NamedTuple):
    """What the compiler made: a function of leaves and of tensors that are closed over.

    `held` are those: places in a structure, or the tensors themselves where no structure holds
    them. `form` has the results' places in a tree.
    """

    call: Callable[..., Any]
    held: tuple[int | Tensor, ...]
    form: Any


# None where the compiler refused, with what was told apart by identity.
_MADE: OrderedDict[Hashable, tuple[_Made | None, list[Any]]] = OrderedDict()

Ready = Callable[[list[Tensor]], Any]


class Program:
    """function(held, *inputs), compiled whole at its first call; eager where that cannot be.

    What has one `Structure` shares what is compiled: parameters, step sizes and whatever else
    `held` holds as a tensor are inputs, so that a change in place is seen, and another energy of
    the same kind needs no compilation. No gradients are recorded.

    Args:
        function: of `held` and of trees of tensors (tuples of tuples), to such a tree; no host
            sync, no branch on values, no random numbers.
        held: what it closes over: a kernel, a potential, a tuple of some. Make a program for each
            run: a tensor that is replaced in `held` after the first call is not seen.

    Example:
        >>> import warnings
        >>> def bent(scale, y):
        ...     return scale * y if bool(y.sum() > 0) else y
        >>> with warnings.catch_warnings(action="ignore"):  # a branch on a value: it runs eagerly
        ...     Program(bent, torch.tensor(2.0))(torch.ones(2))
        tensor([2., 2.])
    """

    def __init__(self, function: Callable[..., Any], held: Any) -> None:
        self.function, self.held = function, held
        self._structure: Structure | None = None
        self._ready: dict[Hashable, Ready | None] = {}

    def __call__(self, *inputs: Any) -> Any:
        """What the function returns."""
        leaves = [*leaves_of(inputs)]
        signature = tuple([(t.shape, t.stride(), t.dtype, t.device) for t in leaves])
        with torch.no_grad():
            if signature not in self._ready:
                self._ready[signature] = self._found(signature, inputs, leaves)
            ready = self._ready[signature]
            return self.function(self.held, *inputs) if ready is None else ready(leaves)

    def _found(self, signature: Hashable, inputs: Any, leaves: list[Tensor]) -> Ready | None:
        if self._structure is None:
            self._structure = Structure((self.function, self.held))
        structure = self._structure
        key = structure.key, _form(inputs), signature
        if key in _MADE:
            _MADE.move_to_end(key)
        else:
            _MADE[key] = self._made(structure, inputs, leaves), structure.kept
            while len(_MADE) > KEPT:
                _MADE.popitem(last=False)
        made, _ = _MADE[key]
        if made is None:
            return None
        call, held, form = made
        given = [structure.tensors[t] if isinstance(t, int) else t for t in held]

        def ready(leaves: list[Tensor]) -> Any:
            results = iter(call(*leaves, *given))
            return mapped(lambda _: next(results), form)

        return ready

    def _made(self, structure: Structure, inputs: Any, leaves: list[Tensor]) -> _Made | None:
        form: Any = None

        def flat(*leaves: Tensor) -> list[Tensor]:
            nonlocal form
            given = iter(leaves)
            with traced():
                out = self.function(self.held, *mapped(lambda _: next(given), inputs))
            form = mapped(lambda _: torch.empty(0), out)
            return [*leaves_of(out)]

        try:
            # The compiler warns of itself, which a caller cannot mend.
            with warnings.catch_warnings(action="ignore"):
                graph, met = lowering.trace(flat, leaves)
                call = lowering.lower(graph, [*leaves, *met])
        except Exception as fault:
            self.function(self.held, *inputs)  # its own error, if it has one, says best what it is
            _tell(fault)
            return None
        place = {id(held): k for k, held in enumerate(structure.tensors)}
        return _Made(call, tuple(place.get(id(t), t) for t in met), form)


def _tell(fault: Exception) -> None:
    reasons = str(fault).strip().splitlines() or [type(fault).__name__]
    warnings.warn(
        f"this energy cannot be compiled and runs as it is: {' '.join(reasons[:3])}; write it "
        "in tensor operations with no branches on values and no random numbers, or leave "
        "compile=False",
        stacklevel=8,
    )


def _form(tree: Any) -> Hashable:
    return None if isinstance(tree, Tensor) else (type(tree), *map(_form, tree))


class CompiledPotential(Potential):
    """A potential whose `value_and_grad` is one compiled program.

    Example:
        >>> u = CompiledPotential(Potential(lambda y: y.square().sum(-1)))
        >>> u(torch.ones(1, 2))  # as before; the compiler starts at the first `value_and_grad`
        tensor([2.])
    """

    def __init__(self, u: Potential) -> None:
        super().__init__(u, origin=u.origin)
        self.program = Program(_value_and_grad, u)

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (chains,) and their gradient (chains, *event)."""
        return self.program(y.detach())


def _value_and_grad(u: Potential, y: Tensor) -> tuple[Tensor, Tensor]:
    return u.value_and_grad(y)
