"""Watching that a call changes nothing: inputs, state, gradients, the global generator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab.testing.compare import require, same
from ebmlab.types import Rng

__all__ = ["again", "generator", "require_equal_state", "state_of", "untouched"]


def generator(rng: Rng, like: Tensor) -> torch.Generator:
    """A copy of rng, or a seeded generator on a tensor's device."""
    return torch.Generator(like.device).manual_seed(0) if rng is None else again(rng)


def again(rng: torch.Generator) -> torch.Generator:
    """A generator that stands where rng stands."""
    return torch.Generator(rng.device).set_state(rng.get_state())


def state_of(module: nn.Module) -> dict[str, Any]:
    """A copy of all that a module holds: parameters, buffers, plain tensors and numbers."""
    state: dict[str, Any] = {}
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            own = [] if key in {"_parameters", "_buffers"} else [key]
            _collect(".".join([*filter(None, [name]), *own]), value, state)
    return state


def _collect(name: str, value: Any, into: dict[str, Any]) -> None:
    if isinstance(value, Tensor):
        into[name] = value.detach().clone()
    elif isinstance(value, dict):
        for key, inner in value.items():
            _collect(f"{name}.{key}" if name else str(key), inner, into)
    elif isinstance(value, list | tuple):
        into[f"{name}.length"] = len(value)
        for i, inner in enumerate(value):
            _collect(f"{name}.{i}", inner, into)
    elif isinstance(value, bool | int | float | str):
        into[name] = value


def require_equal_state(
    law: str, what: str, got: Mapping[str, Any], due: Mapping[str, Any]
) -> None:
    """Raise unless two states agree bit for bit, and name the entries that do not."""
    moved = [name for name in {**due, **got} if not _equal(due.get(name), got.get(name))]
    require(not moved, law, f"{what}: {', '.join(moved)}")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same(a, b)
    return type(a) is type(b) and bool(a == b or a != a)


@contextmanager
def untouched(doing: str, inputs: tuple[Any, ...], *modules: nn.Module) -> Iterator[None]:
    """Raise where what is done inside changes an input, a module, or the global generator.

    Args:
        doing: what the messages call it.
        inputs: tensors, or tuples of them, that must stay as they are.
        modules: whose state and `.grad` must stay as they are.
    """
    before = list(_watched(inputs, modules))
    yield
    for (law, told, was), (*_, now) in zip(before, _watched(inputs, modules), strict=True):
        require_equal_state(law, f"{doing} {told}", now, was)


def _watched(
    inputs: tuple[Any, ...], modules: tuple[nn.Module, ...]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What must stay: the law, the words of a breach, and how things are."""
    drew = "drew from torch's global generator; draw from rng, a torch.Generator"
    yield "global generator untouched", drew, _global_state()
    given: dict[str, Any] = {}
    _collect("input", inputs, given)
    yield "input untouched", "changed its input in place", given
    for module in modules:
        who = type(module).__name__
        yield "state unmoved", f"moved the state of {who}, which only commit may", state_of(module)
        yield "no gradient left", f"left .grad on {who}", _grads(module)


def _grads(module: nn.Module) -> dict[str, Tensor]:
    named = module.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def _global_state() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states |= {f"cuda:{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
    return states
