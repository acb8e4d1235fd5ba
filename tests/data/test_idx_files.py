"""IDX files with every fault injected."""

import gzip

import numpy as np
import pytest
import torch
from data_support import idx_bytes

from ebmlab.data.idx import decode_idx, read_idx
from ebmlab.errors import DataError


@pytest.mark.parametrize(
    ("kind", "dtype", "torch_dtype"),
    [
        (0x08, ">u1", torch.uint8),
        (0x09, ">i1", torch.int8),
        (0x0B, ">i2", torch.int16),
        (0x0C, ">i4", torch.int32),
        (0x0D, ">f4", torch.float32),
        (0x0E, ">f8", torch.float64),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_idx_files_of_every_type_are_read_plain_and_compressed(
    tmp_path, kind, dtype, torch_dtype, compress
):
    numbers = np.array([[1, 2, 3], [100, 5, 0]])
    path = tmp_path / "file"
    path.write_bytes(compress(idx_bytes(numbers, kind, dtype)))
    out = read_idx(path)
    assert out.dtype == torch_dtype
    assert out.tolist() == numbers.tolist()


def members(content, *cuts):
    """gzip's form of each part of the content, one after the other (RFC 1952, section 2.2)."""
    ends = zip([0, *cuts], [*cuts, len(content)], strict=True)
    return b"".join(gzip.compress(content[a:b], mtime=0) for a, b in ends)


@pytest.mark.parametrize("cuts", [(0,), (2, 7), (16, 16, 20)])
def test_files_of_several_gzip_members_are_read_whole(tmp_path, cuts):
    path = tmp_path / "file"
    path.write_bytes(members(GOOD, *cuts))
    assert read_idx(path).tolist() == np.arange(12).reshape(3, 4).tolist()


GOOD = idx_bytes(np.arange(12).reshape(3, 4))
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "truncated"),
        (GOOD[:3], "truncated"),
        (GOOD[:10], "header"),
        (GOOD[:-1], "truncated"),
        (GOOD + b"\0", "trailing"),
        (b"\1" + GOOD[1:], "no IDX file"),
        (GOOD[:2] + b"\x0a" + GOOD[3:], "no IDX file"),
        (GOOD[:3] + b"\0" + GOOD[4:], "no IDX file"),
        (GOOD[:4] + b"\xff" * 8 + GOOD[12:], "truncated"),
        (ZIPPED[:-1], "truncated"),
        (ZIPPED[:12], "truncated"),
        (ZIPPED + b"\0", "trailing"),
        (ZIPPED + ZIPPED, "trailing"),
        (members(GOOD, 7) + b"\0", "trailing"),
        (members(GOOD, 7) + b"\x1f\x8b", "truncated"),
        (members(GOOD, 7)[:-1], "truncated"),
        (members(GOOD, 7)[:-5] + b"\1" + members(GOOD, 7)[-4:], "damaged"),
        (ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:], "damaged"),
        (gzip.compress(GOOD[:-1], mtime=0), "truncated"),
        (gzip.compress(GOOD + b"\0", mtime=0), "trailing"),
    ],
)
def test_a_damaged_idx_file_is_refused_by_name(tmp_path, content, fault):
    path = tmp_path / "numbers-idx2-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=fault) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_a_missing_idx_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "nothing")


def test_an_empty_idx_array_is_fine():
    assert decode_idx(idx_bytes(np.zeros((0, 4))), "none").shape == (0, 4)
