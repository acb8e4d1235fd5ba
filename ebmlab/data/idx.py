"""IDX, the file format of MNIST: a magic number, the sizes, then the numbers, big end first."""

import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ebmlab.errors import DataError

__all__ = ["decode_idx", "gunzip", "read_idx"]

_GZIP = b"\x1f\x8b"
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> Tensor:
    """The tensor in an IDX file, plain or compressed by gzip, whatever its name.

    Raises:
        DataError: the file cannot be read, is no IDX file, or is shorter or longer than it states.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return decode_idx(gunzip(content, str(path)), str(path))


def gunzip(content: bytes, name: str) -> bytes:
    """Decompress what begins as gzip does, all members of it; anything else passes.

    Raises:
        DataError: a member is damaged or ends early, or the last is followed by other bytes.
    """
    if not content.startswith(_GZIP):
        return content
    plain = []
    while content.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            plain.append(stream.decompress(content))
        except zlib.error as error:
            raise DataError(f"{name} is damaged: {error}; get the file anew") from error
        if not stream.eof:
            raise DataError(f"{name} is truncated: its gzip stream has no end; get the file anew")
        content = stream.unused_data
    if content:
        raise DataError(
            f"{name} has {len(content)} trailing bytes after its gzip stream; get the file anew"
        )
    return b"".join(plain)


def decode_idx(content: bytes, name: str) -> Tensor:
    """The tensor in decompressed IDX content; `name` stands in the errors.

    Raises:
        DataError: the magic number is unknown, or the length is not what the sizes ask for.

    Example:
        >>> decode_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three numbers")
        tensor([7, 8, 9], dtype=torch.uint8)
    """
    if len(content) < 4:
        raise DataError(f"{name} is truncated: {len(content)} bytes hold no IDX magic number")
    kind, ndim = content[2], content[3]
    if content[:2] != b"\0\0" or kind not in _DTYPES or ndim == 0:
        raise DataError(
            f"{name} is no IDX file: it begins with {content[:4].hex(' ')}; expected 00 00, "
            "a type (08, 09, 0b, 0c, 0d, 0e) and the number of dimensions (01 or more)"
        )
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(f"{name} is truncated within its {header} bytes of header")
    shape = [int(size) for size in np.frombuffer(content[4:header], ">u4")]
    dtype = np.dtype(_DTYPES[kind])
    size = header + math.prod(shape) * dtype.itemsize
    if len(content) != size:
        fault = "is truncated" if len(content) < size else "has trailing bytes"
        raise DataError(
            f"{name} {fault}: the sizes {shape} ask for {size} bytes, not {len(content)}"
        )
    numbers = np.frombuffer(content, dtype, offset=header).astype(dtype.newbyteorder("="))
    return torch.from_numpy(numbers.reshape(shape))
