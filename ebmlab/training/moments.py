"""In what the saved state of an optimizer cannot be the present one's, one line for each."""

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

__all__ = ["of_groups", "of_states"]

# What optimizers of torch keep of each parameter in its own shape.
SHAPED = {
    "acc_delta", "eta", "exp_avg", "exp_avg_sq", "exp_inf", "grad_avg", "max_exp_avg_sq",
    "momentum_buffer", "mu_product", "prev", "square_avg", "step_size", "sum",
}  # fmt: skip


def of_groups(saved: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> list[str]:
    """Hyperparameters that are missing, of another kind, or no finite numbers."""
    present = optimizer.state_dict()["param_groups"]
    return [
        f"optimizer's group {i}: {line}"
        for i, (old, new) in enumerate(zip(saved["param_groups"], present, strict=True))
        for line in [*_of_group(old, new), *_of_rate(old)]
    ]


def _of_group(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name, here in new.items():
        if name not in old:
            # Newer versions of torch know switches that older ones did not write.
            if here is not None and not isinstance(here, bool):
                yield f"{name} is missing in the file"
        elif name == "params":
            if old[name] != here:
                yield "parameters are numbered otherwise in the file"
        elif not _alike(old[name], here):
            yield f"{name} is {_shown(old[name])} in the file, {_shown(here)} here"


def _of_rate(old: dict[str, Any]) -> list[str]:
    rate = old.get("lr", 0.0)
    return (
        [] if _alike(rate, 0.0) and float(rate) >= 0 else [f"lr is {_shown(rate)}, no step size"]
    )


def of_states(saved: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> list[str]:
    """Moments of no parameter, of another shape than it has, or other ones than it has here."""
    parameters = dict(enumerate(p for g in optimizer.param_groups for p in g["params"]))
    present = optimizer.state_dict()["state"]
    lines: list[str] = []
    for key, state in saved["state"].items():
        where = f"optimizer's state of parameter {key}"
        if isinstance(key, bool) or key not in parameters or not isinstance(state, dict):
            lines.append(f"{where}: there is no such parameter, or no such state")
            continue
        here = present.get(key, state)
        lines += [f"missing in the file: {where}: {name}" for name in here if name not in state]
        lines += [
            f"{where}: {name} is {_shown(value)}, the parameter {tuple(parameters[key].shape)}"
            for name, value in state.items()
            if not _fits(name, value, parameters[key])
        ]
    return lines


def _fits(name: str, value: Any, parameter: Tensor) -> bool:
    if name == "step":
        return _alike(value, 0.0) and float(value) >= 0
    if name not in SHAPED or value is None or (isinstance(value, Tensor) and not value.ndim):
        return True
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _alike(old: Any, new: Any) -> bool:
    """Whether what is saved can stand where the present value stands."""
    if isinstance(new, tuple):
        both = isinstance(old, tuple) and len(old) == len(new)
        return both and all(_alike(a, b) for a, b in zip(old, new, strict=True))
    if new is None or isinstance(new, bool):
        return old is None or isinstance(old, bool)
    if isinstance(new, Real | Tensor):
        return not isinstance(old, bool) and _finite(old)
    return type(old) is type(new)


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and bool(value.isfinite().all())
    return isinstance(value, Real) and math.isfinite(value)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor) and value.numel() > 1:
        return f"{tuple(value.shape)} {value.dtype}"
    return repr(value)[:60]
