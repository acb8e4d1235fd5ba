"""What a checkpoint holds: packed into a sealed file, and read from one, every part checked."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import ebmlab
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.training.packing import Packer, unpack
from ebmlab.training.sealed import Sealed, read_tensors, seal_tensors
from ebmlab.training.shards import read_shards, write_shards
from ebmlab.training.strict import parsed

__all__ = ["Contents", "packed", "trained", "unpacked", "versions"]

# Bytes of a file besides many times those of the method: films, and whatever else is kept.
SLACK, TIMES = 2**28, 1024
SHARDS, FOLDER, FILE = "shards", re.compile(r"shards-\d{9}"), re.compile(r"[\w-]+\.safetensors")


class Contents(NamedTuple):
    """A checkpoint as it was read.

    Attributes:
        method: the tensors by name.
        optimizer: its class, the names of its parameters and its state; None where none was saved.
        rngs: device and state of each generator by name.
        step: how far training was.
        extra: whatever else was saved.
        run: what the run was started with, by name; None where that was not said.
        versions: of what wrote the file.
        digest: of the file.
    """

    method: dict[str, Any]
    optimizer: dict[str, Any] | None
    rngs: dict[str, tuple[str, Tensor]]
    step: int
    extra: dict[str, Any]
    run: dict[str, Any] | None
    versions: dict[str, str]
    digest: str


def versions() -> dict[str, str]:
    """Of what makes the numbers of a run."""
    return {"ebmlab": ebmlab.__version__, "torch": torch.__version__}


def packed(
    method: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    rngs: Mapping[str, torch.Generator] | None,
    step: int,
    extra: Mapping[str, Any] | None,
    run: Mapping[str, Any] | None,
    shards: Path | None = None,
) -> Sealed:
    """The content of a checkpoint, but what ranks share out, which goes into a folder of its own.

    Raises as `save`; and ConfigurationError where there is such and no folder.
    """
    whole = {
        "method": dict(method.state_dict()),
        "optimizer": None,
        "rngs": {name: (rng.device.type, rng.get_state()) for name, rng in (rngs or {}).items()},
        "step": step,
        "extra": dict(extra or {}),
        "run": None if run is None else dict(run),
        "versions": versions(),
    }
    if optimizer is not None:
        whole["optimizer"] = {
            "class": type(optimizer).__name__,
            "trained": trained(method, optimizer),
            "state": optimizer.state_dict(),
        }
    packer = Packer()
    parts = {name: packer.pack(part, name) for name, part in whole.items()}
    if packer.shared:
        if shards is None:
            raise ConfigurationError(
                "ranks share out the method's parameters, which one file cannot hold; keep the "
                "run by fit(…, keep=Checkpoints(folder))"
            )
        files = write_shards(shards, packer.shared)
        parts[SHARDS] = {"folder": shards.name, "files": files, "names": list(packer.shared)}
    return seal_tensors(packer.tensors, json.dumps(parts))


def unpacked(path: Path, method: nn.Module) -> Contents:
    """What a file holds.

    Raises:
        FileError: the file is missing, no file, damaged, far larger than the method, or malformed.
    """
    own = sum(t.nbytes for t in method.state_dict().values() if isinstance(t, Tensor))
    tensors, text, digest = read_tensors(path, SLACK + TIMES * own)
    try:
        parts = parsed(text, finite=False)
        tensors |= _shared(path, parts.pop(SHARDS, None), method)
        whole = {k: unpack(part, tensors) for k, part in parts.items()}
        contents = Contents(**whole, digest=digest)
        _require_kinds(contents)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is malformed: {error!r}") from error
    return contents


def _shared(path: Path, shards: dict[str, Any] | None, method: nn.Module) -> dict[str, Tensor]:
    """The tensors that ranks shared out, from the folder beside a checkpoint."""
    if shards is None:
        return {}
    folder, files, names = shards["folder"], _named("files", shards["files"]), shards["names"]
    plain = all(FILE.fullmatch(name) for name in files)
    if not (FOLDER.fullmatch(folder) and plain and all(isinstance(n, str) for n in names)):
        raise ValueError("shares lie elsewhere than beside the checkpoint")
    return read_shards(path.parent / folder, files, names, method)


def trained(method: nn.Module, optimizer: torch.optim.Optimizer | None) -> list[list[str]]:
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


def _require_kinds(contents: Contents) -> None:
    """Raise ValueError where a part is of another kind than it must be."""
    _named("method", contents.method)
    if not isinstance(contents.extra, dict):
        raise ValueError("extra is no dictionary")
    _named("versions", contents.versions)
    _named("run", {} if contents.run is None else contents.run)
    step = contents.step
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError(f"step is {step!r}, no number of steps")
    for name, generator in _named("rngs", contents.rngs).items():
        device, state = generator
        if not isinstance(device, str) or not isinstance(state, Tensor):
            raise ValueError(f"generator {name} is no device and state")
        if state.dtype != torch.uint8 or state.ndim != 1:
            raise ValueError(f"the state of generator {name} is {state.dtype}, no bytes")
    if contents.optimizer is not None:
        _require_optimizer(_named("optimizer", contents.optimizer))


def _require_optimizer(saved: dict[str, Any]) -> None:
    state = _named("the optimizer's state", saved["state"])
    groups, names = state["param_groups"], saved["trained"]
    if not isinstance(groups, list) or not isinstance(names, list) or len(groups) != len(names):
        raise ValueError("the optimizer has no groups, or they have no names")
    for group, each in zip(groups, names, strict=True):
        if not all(isinstance(name, str) for name in each):
            raise ValueError("parameters of the optimizer have no names")
        if len(_named("a group", group)["params"]) != len(each):
            raise ValueError("a group of the optimizer has as many names as parameters")
    if not isinstance(state["state"], dict):
        raise ValueError("the optimizer's state is no dictionary")


def _named(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{what} is no dictionary of names")
    return value
