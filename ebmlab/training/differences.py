"""In what a saved run differs from the one that it should be loaded into, one line for each."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from ebmlab.training.moments import of_groups, of_states
from ebmlab.training.packing import identity

__all__ = ["of_generators", "of_methods", "of_optimizers", "of_runs"]


def _names(what: str, saved: Collection[str], own: Collection[str]) -> list[str]:
    return [
        *(f"missing in the file: {what} {name}" for name in own if name not in saved),
        *(f"only in the file: {what} {name}" for name in saved if name not in own),
    ]


def of_runs(saved: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> list[str]:
    """What two runs were started with, as far as both say so."""
    if saved is None or own is None:
        return []
    return [
        *_names("argument", saved, own),
        *(
            f"{name}: {saved[name]!r} in the file, {value!r} here"
            for name, value in own.items()
            if name in saved and saved[name] != value
        ),
    ]


def of_methods(saved: dict[str, Any], own: dict[str, Any], buffers: Collection[str]) -> list[str]:
    """Names, shapes, types and sharing of two state dictionaries, the saved and the present.

    A buffer may be of a wider type here, which holds every number of the file.
    """
    lines = _names("tensor", saved, own)
    both = [name for name in own if name in saved]
    there, here = ({name: state[name] for name in both} for state in (saved, own))
    twin_there, twin_here = _twins(there), _twins(here)
    for name in both:
        old, new = there[name], here[name]
        if _kind(old) != _kind(new) and not (name in buffers and _widens(old, new)):
            lines.append(f"{name}: {_kind(old)} in the file, {_kind(new)} here")
        if isinstance(new, Tensor) and _expanded(new):
            lines.append(f"{name}: expanded here, so that it cannot be written to; .clone() it")
        if twin_there[name] != twin_here[name]:
            lines.append(
                f"{name}: the same tensor as {twin_there[name]} in the file, as "
                f"{twin_here[name]} here"
            )
    return lines


def _expanded(tensor: Tensor) -> bool:
    return any(
        size > 1 and stride == 0
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    )


def _widens(old: Any, new: Any) -> bool:
    if not isinstance(old, Tensor) or not isinstance(new, Tensor) or old.shape != new.shape:
        return False
    return old.is_floating_point() and torch.promote_types(old.dtype, new.dtype) == new.dtype


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {value.dtype}"
    return type(value).__name__


def _twins(state: dict[str, Any]) -> dict[str, str]:
    """For each name the first, in the alphabet, of all names of its tensor."""
    first: dict[tuple, str] = {}
    keys = {n: identity(v) if isinstance(v, Tensor) else (n,) for n, v in state.items()}
    for name in sorted(state):
        first.setdefault(keys[name], name)
    return {name: first[key] for name, key in keys.items()}


def of_optimizers(
    saved: dict[str, Any] | None, optimizer: torch.optim.Optimizer | None, trained: list[list[str]]
) -> list[str]:
    """Class, groups and parameters, by their names, of a saved and a present optimizer."""
    if optimizer is None:
        return []
    if saved is None:
        return ["missing in the file: the optimizer; call load without one"]
    if saved["class"] != type(optimizer).__name__:
        return [f"optimizer: {saved['class']} in the file, {type(optimizer).__name__} here"]
    if len(saved["trained"]) != len(trained):
        return [f"optimizer: {len(saved['trained'])} groups in the file, {len(trained)} here"]
    lines: list[str] = []
    for i, (there, here) in enumerate(zip(saved["trained"], trained, strict=True)):
        lines += _names(f"parameter of the optimizer's group {i}:", there, here)
        if there != here and set(there) == set(here):
            lines.append(f"optimizer's group {i}: {there} in the file, another order here: {here}")
    state = saved["state"]
    return lines or [*of_groups(state, optimizer), *of_states(state, optimizer)]


def of_generators(saved: dict[str, Any], rngs: dict[str, torch.Generator] | None) -> list[str]:
    """Names, devices and sizes of state of saved and present generators."""
    if rngs is None:
        return []
    lines = _names("generator", saved, rngs)
    for name in [name for name in rngs if name in saved]:
        device, state = saved[name]
        if device != rngs[name].device.type:
            lines.append(f"generator {name}: on {device} in the file, {rngs[name].device} here")
            continue
        try:
            torch.Generator(rngs[name].device).set_state(state)
        except (RuntimeError, TypeError) as error:
            lines.append(f"generator {name}: its state does not fit here ({error})")
    return lines
