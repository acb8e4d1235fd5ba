"""Tensors of which every rank holds a share: written by all ranks, read by as many as there are.

A folder of safetensors, one file from each rank, by torch's distributed checkpoints: no pickle.
The checkpoint that they belong to lists the SHA-256 of each file.
"""

import hashlib
import importlib
import shutil
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from ebmlab._disk import read_regular, sync
from ebmlab._ranks import decided, local, rank_count, rank_number
from ebmlab.errors import FileError

__all__ = ["as_here", "drop_shards", "is_shared", "read_shards", "shards_at", "write_shards"]


def is_shared(value: object) -> bool:
    """Whether ranks hold shares of a tensor."""
    return isinstance(value, Tensor) and local(value) is not value


def shards_at(folder: Path, step: int) -> Path:
    """Where the shares of a step lie."""
    return folder / f"shards-{step:09d}"


def write_shards(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Write shares of all ranks into a new folder; the SHA-256 of each file by its name.

    Raises:
        FileError: a file could not be written; raised on all ranks.
    """
    checkpoint = _library()
    if rank_number() == 0:
        shutil.rmtree(path, ignore_errors=True)
    distributed.barrier()
    writer = checkpoint.HuggingFaceStorageWriter(str(path), save_distributed=True)
    try:
        checkpoint.save(dict(tensors), storage_writer=writer)
    except (checkpoint.CheckpointException, OSError) as error:
        raise FileError(
            f"{path} was not written ({error}); make room, or save elsewhere"
        ) from error
    files = sorted(path.iterdir()) if rank_number() == 0 else []
    for file in files:
        sync(file)
    return {file.name: _sha256(file) for file in files}


def read_shards(
    path: Path, files: Mapping[str, str], names: Iterable[str], method: nn.Module
) -> dict[str, Tensor]:
    """Tensors by name, shared out as the method's are here, each rank its share.

    Raises:
        FileError: a file is missing or altered, or a name is unknown; raised on all ranks.
    """
    checkpoint = _library()
    wrong = _wrong(path, files) if rank_number() == 0 else None
    if not decided(wrong is None):
        raise FileError(wrong or f"{path} is damaged, as rank 0 says")
    reader = checkpoint.HuggingFaceStorageReader(str(path))
    stored = reader.read_metadata().state_dict_metadata
    missing = [name for name in names if name not in stored]
    if missing:
        raise FileError(f"{path} holds no {missing[0]}; take an earlier copy")
    whole = {name: _empty(stored[name], method) for name in names}
    with warnings.catch_warnings():
        # One process reads them all, on purpose.
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        checkpoint.load(whole, storage_reader=reader)
    return whole


def _library() -> Any:
    # It takes long to load, and torch does not say what of it is public.
    return importlib.import_module("torch.distributed.checkpoint")


def _wrong(path: Path, files: Mapping[str, str]) -> str | None:
    for name, digest in files.items():
        try:
            found = _sha256(path / name)
        except OSError as error:
            return f"{path / name} cannot be read: {error}"
        if found != digest:
            return (
                f"{path / name} is damaged: its SHA-256 should be {digest[:12]}… and is "
                f"{found[:12]}…; it was cut short or altered: take an earlier copy"
            )
    return None


def _sha256(file: Path) -> str:
    return hashlib.sha256(read_regular(file)).hexdigest()


def _empty(stored: Any, method: nn.Module) -> Tensor:
    """Memory for a tensor: a share of it where the method's own are shared out."""
    size, dtype = tuple(stored.size), stored.properties.dtype
    shared: Any = next((p for p in method.parameters() if is_shared(p)), None)
    if shared is None or not size:
        return torch.empty(size, dtype=dtype)
    from torch.distributed import tensor

    return tensor.empty(
        *size, dtype=dtype, device_mesh=shared.device_mesh, placements=shared.placements
    )


def as_here(own: Tensor, saved: Tensor) -> Tensor:
    """A saved tensor, shared out as its like here is."""
    if not is_shared(own) or is_shared(saved) or own.shape != saved.shape:
        return saved
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(own, DTensor)
    return distribute_tensor(saved.to(own.device), own.device_mesh, own.placements)


def drop_shards(folder: Path, *, keep: int = 0, after: int | None = None) -> None:
    """Remove the shares of all steps but the last `keep`, or of those after a step."""
    if rank_count() > 1 and rank_number() != 0:
        return
    found = sorted(folder.glob("shards-*"))
    late = [path for path in found if after is not None and path > shards_at(folder, after)]
    for path in late if after is not None else found[: len(found) - keep]:
        shutil.rmtree(path, ignore_errors=True)
