"""IDX, the file format of MNIST: a magic number, the sizes, then the numbers, big end first."""

import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ebmlab._disk import read_regular
from ebmlab.errors import DataError

__all__ = ["decode_idx", "gunzip", "read_idx"]

_GZIP = b"\x1f\x8b"
# Dimensions that are read, and the most bytes that those of a header take.
_NDIM = 8
_HEADER = 4 + 4 * _NDIM
# Members of one file, and bytes that are looked at together.
_MEMBERS, _PIECE = 2**16, 2**14
# Times that real data shrink at most, where they take more bytes than are not worth a question.
_RATIO, _FREE = 100, 2**26
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> Tensor:
    """The tensor in an IDX file, plain or compressed by gzip, whatever its name.

    Raises:
        DataError: the file cannot be read, is no IDX file, or is shorter or longer than it states.
    """
    path = Path(path)
    try:
        content = _content(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return decode_idx(content, str(path))


def gunzip(content: bytes, name: str, most: int) -> bytes:
    """Decompress what begins as gzip does, all members of it; anything else passes.

    Args:
        content: of a file, compressed or not.
        name: stands in the errors.
        most: bytes of what is decompressed; no more are kept or made.

    Raises:
        DataError: a member is damaged or ends early, the last is followed by other bytes, or they
            hold more than `most` bytes.
    """
    if not content.startswith(_GZIP):
        return content
    plain: list[bytes] = []
    at, room = 0, most
    for _ in range(_MEMBERS):
        if not content.startswith(_GZIP, at):
            break
        member, at = _member(content, at, name, room)
        room -= len(member)
        plain.append(member)
    if at < len(content):
        raise DataError(
            f"{name} has {len(content) - at} trailing bytes after its gzip stream; get the file "
            "anew"
        )
    return b"".join(plain)


def _member(content: bytes, at: int, name: str, room: int) -> tuple[bytes, int]:
    """One member, which begins at `at` and has `room` bytes at most, and where it ends."""
    stream, plain = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), bytearray()
    while not stream.eof:
        piece = content[at : at + _PIECE]
        if not piece:
            raise DataError(f"{name} is truncated: its gzip stream has no end; get the file anew")
        try:
            # One byte more than may be tells that there are more.
            plain += stream.decompress(piece, room - len(plain) + 1)
        except zlib.error as error:
            raise DataError(f"{name} is damaged: {error}; get the file anew") from error
        if len(plain) > room:
            raise DataError(f"{name} has trailing bytes: it unpacks to more than is expected")
        at += len(piece)
    return bytes(plain), at - len(stream.unused_data)


def _content(path: Path) -> bytes:
    """What an IDX file holds, of which no more is read or unpacked than its sizes ask for."""
    name, start = str(path), read_regular(path, first=_PIECE)
    if not start.startswith(_GZIP):
        size = _header(start, name)[2]
        return read_regular(path, first=size + 1)
    try:
        header = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(start, _HEADER)
    except zlib.error as error:
        raise DataError(f"{name} is damaged: {error}; get the file anew") from error
    if len(header) < _HEADER:
        # It is short, or parts of their own hold the header.
        return gunzip(read_regular(path, _FREE), name, _FREE)
    size = _header(header, name)[2]
    content = read_regular(path, size + _FREE)
    if size > max(_FREE, _RATIO * len(content)):
        raise DataError(
            f"{name} asks for {size:,} bytes, of which {len(content):,} are compressed: no data "
            "are packed so densely; unpack it by other means if you trust it"
        )
    return gunzip(content, name, size)


def decode_idx(content: bytes, name: str) -> Tensor:
    """The tensor in decompressed IDX content; `name` stands in the errors.

    Raises:
        DataError: the magic number is unknown, or the length is not what the sizes ask for.

    Example:
        >>> decode_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three numbers")
        tensor([7, 8, 9], dtype=torch.uint8)
    """
    shape, dtype, size = _header(content, name)
    if len(content) != size:
        fault = "is truncated" if len(content) < size else "has trailing bytes"
        raise DataError(
            f"{name} {fault}: the sizes {shape} ask for {size} bytes, not {len(content)}"
        )
    numbers = np.frombuffer(content, dtype, offset=4 + 4 * len(shape))
    return torch.from_numpy(numbers.astype(dtype.newbyteorder("="))).reshape(shape)


def _header(content: bytes, name: str) -> tuple[list[int], np.dtype, int]:
    """The sizes, the type of the numbers, and the bytes of the whole file."""
    if len(content) < 4:
        raise DataError(f"{name} is truncated: {len(content)} bytes hold no IDX magic number")
    kind, ndim = content[2], content[3]
    if content[:2] != b"\0\0" or kind not in _DTYPES or not 0 < ndim <= _NDIM:
        raise DataError(
            f"{name} is no IDX file: it begins with {content[:4].hex(' ')}; expected 00 00, "
            f"a type (08, 09, 0b, 0c, 0d, 0e) and 1 to {_NDIM} dimensions"
        )
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(f"{name} is truncated within its {header} bytes of header")
    shape = [int(size) for size in np.frombuffer(content[4:header], ">u4")]
    dtype = np.dtype(_DTYPES[kind])
    if 0 in shape and math.prod(size or 1 for size in shape) >= 2**60:
        raise DataError(f"{name} asks for the sizes {shape}, more than any memory holds")
    return shape, dtype, header + math.prod(shape) * dtype.itemsize
