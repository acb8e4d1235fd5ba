"""`save` and `load`: a method, its optimizer and its generators in one safetensors file."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training import differences
from ebmlab.training.packing import Packer, unpack
from ebmlab.training.sealed import read_sealed, write_sealed

__all__ = ["Restored", "load", "save"]


class Restored(NamedTuple):
    """What `load` returns besides what it restores in place."""

    step: int
    extra: dict[str, Any]


def save(
    path: str | Path,
    method: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    rngs: dict[str, torch.Generator] | None = None,
    step: int = 0,
    extra: dict[str, Any] | None = None,
) -> None:
    """Write all that training needs to go on, bit for bit, to one file, or leave all as it was.

    Tensors known under several names, as a shared encoder's, are stored once. The file is
    written beside its place, flushed to the disk, and only then put there.

    Args:
        path: the file, by custom *.safetensors; its folder is made if need be.
        method: its parameters and persistent buffers are saved, not its configuration.
        optimizer: of the method's parameters; None saves none.
        rngs: generators by name.
        step: how far training is.
        extra: numbers, strings, None, tensors, and tuples, lists and dicts of them.

    Raises:
        FileError: the file could not be written.
        ConfigurationError: the optimizer holds parameters that the method does not have, or
            something is neither a tensor, nor a plain value.
        DtypeError: a tensor is sparse, or of a type that safetensors does not know.

    Example:
        >>> import tempfile
        >>> net = nn.Linear(2, 2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Path(folder) / "net.safetensors", net, step=7, extra={"seed": 0})
        ...     load(Path(folder) / "net.safetensors", nn.Linear(2, 2))
        Restored(step=7, extra={'seed': 0})
    """
    whole = {
        "method": dict(method.state_dict()),
        "optimizer": None,
        "rngs": {name: (rng.device.type, rng.get_state()) for name, rng in (rngs or {}).items()},
        "step": step,
        "extra": extra or {},
    }
    if optimizer is not None:
        whole["optimizer"] = {
            "class": type(optimizer).__name__,
            "trained": _trained(method, optimizer),
            "state": optimizer.state_dict(),
        }
    packer = Packer()
    manifest = {name: packer.pack(part, name) for name, part in whole.items()}
    write_sealed(Path(path), packer.tensors, json.dumps(manifest))


def load(
    path: str | Path,
    method: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    rngs: dict[str, torch.Generator] | None = None,
) -> Restored:
    """Restore in place what `save` wrote; everything is checked before anything changes.

    The file must fit: the same names, shapes, types and sharing of tensors, the same class of
    optimizer over the same parameters in the same order, the same generators. Only a buffer may be
    of a wider type here. Hyperparameters of the optimizer come from the file. Nothing in the file
    is ever executed.

    Args:
        path: the file.
        method: built as the saved one was; it keeps its device.
        optimizer: built as the saved one was; None leaves a saved optimizer aside.
        rngs: generators by name, all that were saved; None leaves them aside.

    Raises:
        FileError: the file is missing, damaged, or holds another configuration; then the
            differences are listed and nothing has changed.
    """
    path = Path(path)
    own, buffers = method.state_dict(), dict(method.named_buffers(remove_duplicate=False))
    trained = _trained(method, optimizer)
    tensors, text = read_sealed(path)
    try:
        saved = {name: unpack(part, tensors) for name, part in json.loads(text).items()}
        found = [
            *differences.of_methods(saved["method"], own, buffers),
            *differences.of_optimizers(saved["optimizer"], optimizer, trained),
            *differences.of_generators(saved["rngs"], rngs),
        ]
        restored = Restored(saved["step"], saved["extra"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is malformed: {error!r}") from error
    if found:
        raise FileError(
            f"{path} holds another configuration; build everything as it was when it was saved:"
            + "".join(f"\n  {difference}" for difference in found)
        )
    # First what may still refuse.
    if optimizer is not None:
        optimizer.load_state_dict(saved["optimizer"]["state"])
    # The method's own dictionary carries the versions of its modules, which the file does not.
    own.update(saved["method"])
    method.load_state_dict(own)
    for name, rng in (rngs or {}).items():
        rng.set_state(saved["rngs"][name][1])
    return restored


def _trained(method: nn.Module, optimizer: torch.optim.Optimizer | None) -> list[list[str]]:
    """The names of the optimizer's parameters, group by group."""
    if optimizer is None:
        return []
    names = {id(parameter): name for name, parameter in method.named_parameters()}
    groups = [group["params"] for group in optimizer.param_groups]
    foreign = [tuple(p.shape) for group in groups for p in group if id(p) not in names]
    if foreign:
        raise ConfigurationError(
            f"optimizer holds parameters of shapes {foreign} that are not the method's, so that "
            "their values would not be saved; make them part of the method"
        )
    return [[names[id(parameter)] for parameter in group] for group in groups]
