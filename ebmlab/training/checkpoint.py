"""`save` and `load`: a method, its optimizer and its generators in one safetensors file."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ebmlab._disk import write_whole
from ebmlab.errors import FileError
from ebmlab.training import differences
from ebmlab.training.contents import Contents, packed, trained, unpacked, versions
from ebmlab.training.shards import as_here, is_shared

__all__ = ["Restored", "load", "restored", "save"]


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
    extra: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write all that training needs to go on, bit for bit, to one file, or leave all as it was.

    Tensors known under several names, as a shared encoder's, are stored once. The file is
    written beside its place, flushed to the disk, and only then put there. It is written from the
    memory of the tensors, which must not change meanwhile.

    Args:
        path: the file, by custom *.safetensors; its folder is made if need be.
        method: its parameters and persistent buffers are saved, not its configuration.
        optimizer: of the method's parameters; None saves none.
        rngs: generators by name.
        step: how far training is.
        extra: numbers, strings, None, tensors, and tuples, lists and dicts of them.
        run: what the run was started with, such as its seed, so that `load` refuses the file of
            another.

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
    path, content = Path(path), packed(method, optimizer, rngs, step, extra, run)
    try:
        write_whole(path, *content.blank, stamp=content.stamp)
    except OSError as error:
        raise FileError(
            f"{path} was not written ({error}); what was there before is whole: make room, or "
            "save elsewhere"
        ) from error


def load(
    path: str | Path,
    method: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    rngs: dict[str, torch.Generator] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Restored:
    """Restore in place what `save` wrote; everything is checked before anything changes.

    The file must fit: the same names, shapes, types and sharing of tensors, the same class of
    optimizer over the same parameters in the same order, the same generators. Only a buffer may be
    of a wider type here. Hyperparameters of the optimizer come from the file. Nothing in the file
    is ever executed, and its SHA-256 finds damage; but that is no signature: who alters a file on
    purpose can seal it again, so take files only from those whom you trust with your numbers.

    Args:
        path: the file.
        method: built as the saved one was; it keeps its device.
        optimizer: built as the saved one was; None leaves a saved optimizer aside.
        rngs: generators by name, all that were saved; None leaves them aside.
        run: what this run is started with, as it was when the file was saved; None leaves it
            aside.

    Raises:
        FileError: the file is missing, damaged, malformed, or holds another configuration; then
            the differences are listed and nothing has changed.

    Warns where other versions wrote the file.
    """
    contents = unpacked(Path(path), method)
    return restored(Path(path), contents, method, optimizer, rngs=rngs, run=run)


def restored(
    path: Path,
    contents: Contents,
    method: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    rngs: dict[str, torch.Generator] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Restored:
    """Restore in place what was read from a file; arguments and errors are those of `load`."""
    own, buffers = method.state_dict(), dict(method.named_buffers(remove_duplicate=False))
    names = trained(method, optimizer)
    try:
        found = [
            *differences.of_runs(contents.run, run),
            *differences.of_methods(contents.method, own, buffers),
            *differences.of_optimizers(contents.optimizer, optimizer, names),
            *differences.of_generators(contents.rngs, rngs),
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{path} is malformed: {error!r}") from error
    if found:
        raise FileError(
            f"{path} holds another configuration; build everything as it was when it was saved:"
            + "".join(f"\n  {difference}" for difference in found)
        )
    _tell_of_versions(path, contents.versions)
    # First what may still refuse.
    if optimizer is not None and contents.optimizer is not None:
        optimizer.load_state_dict(_placed(contents.optimizer["state"], names, method))
    # The method's own dictionary carries the versions of its modules, which the file does not.
    own.update({name: as_here(own[name], saved) for name, saved in contents.method.items()})
    method.load_state_dict(own)
    for name, rng in (rngs or {}).items():
        rng.set_state(contents.rngs[name][1])
    return Restored(contents.step, contents.extra)


def _placed(state: dict[str, Any], names: list[list[str]], method: nn.Module) -> dict[str, Any]:
    """An optimizer's state, shared out as its parameters are here."""
    here = dict(method.named_parameters())
    order = [here[name] for group in names for name in group]
    if "state" not in state or not any(map(is_shared, order)):
        return state
    moved = {
        i: {k: as_here(order[i], v) if isinstance(v, torch.Tensor) else v for k, v in each.items()}
        for i, each in state["state"].items()
    }
    return {**state, "state": moved}


def _tell_of_versions(path: Path, saved: Mapping[str, str]) -> None:
    other = [f"{name} {saved.get(name)}" for name, v in versions().items() if saved.get(name) != v]
    if other:
        here = ", ".join(f"{name} {version}" for name, version in versions().items())
        warnings.warn(
            f"{path} was written by {', '.join(other)}, and is read by {here}: numbers may differ "
            "in their last digits",
            stacklevel=4,
        )
