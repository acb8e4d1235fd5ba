"""Where tensors lie in a file of safetensors: 8 bytes of size, a header of JSON, their bytes.

Read and written from and to the memory of the tensors themselves, without a copy of the whole.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ebmlab.errors import DtypeError
from ebmlab.training.strict import parsed

__all__ = ["Layout", "bytes_of", "header_of"]

# By the names that safetensors gives them.
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "I16": torch.int16,
    "U16": torch.uint16,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "F32": torch.float32,
    "I64": torch.int64,
    "U64": torch.uint64,
    "F64": torch.float64,
    "C64": torch.complex64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Layout(NamedTuple):
    """What a header says.

    Attributes:
        metadata: its texts by name.
        tensors: type and shape of each tensor by name, in the order of their bytes.
    """

    metadata: dict[str, str]
    tensors: dict[str, tuple[torch.dtype, list[int]]]

    @classmethod
    def read(cls, header: bytes, size: int) -> "Layout":
        """The layout of `size` bytes of tensors: each of them is of one tensor.

        Raises:
            ValueError, KeyError, TypeError: the header is malformed, or speaks of other bytes.
        """
        whole = parsed(header.decode())
        if not isinstance(whole, dict):
            raise ValueError("the header is no dictionary")
        metadata = whole.pop("__metadata__", {})
        places = sorted((_ends(each), name) for name, each in whole.items())
        found, end = {}, 0
        for (first, last), name in places:
            dtype, shape = DTYPES[whole[name]["dtype"]], whole[name]["shape"]
            if not isinstance(shape, list) or not all(map(_counts, shape)):
                raise ValueError(f"{name!r} has the shape {shape!r}")
            if first != end or last - first != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name!r} has the bytes from {first} to {last}")
            found[name], end = (dtype, shape), last
        if end != size:
            raise ValueError(f"tensors take {end:,} bytes, of {size:,} that there are")
        return cls(metadata, found)

    def empty(self) -> dict[str, Tensor]:
        """Memory for the tensors."""
        return {name: torch.empty(shape, dtype=t) for name, (t, shape) in self.tensors.items()}


def header_of(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> tuple[bytes, list[str]]:
    """The header, its size before it, and the order in which the tensors' bytes follow it.

    Raises:
        DtypeError: safetensors knows no such type.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    whole: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name in order:
        t = tensors[name]
        if t.dtype not in NAMES:
            raise DtypeError(f"{name} is {t.dtype}, which a checkpoint cannot hold; convert it")
        first, end = end, end + t.nbytes
        shape = list(t.shape)
        whole[name] = {"dtype": NAMES[t.dtype], "shape": shape, "data_offsets": [first, end]}
    header = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header, order


def bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor."""
    plain = tensor.detach().resolve_conj().resolve_neg().flatten()
    return plain.view(torch.uint8).numpy().data


def _ends(each: Any) -> tuple[int, int]:
    first, last = each["data_offsets"]
    if set(each) != {"dtype", "shape", "data_offsets"} or not _counts(first) or not _counts(last):
        raise ValueError(f"a tensor is told by {sorted(each)}, from {first!r} to {last!r}")
    return first, last


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
