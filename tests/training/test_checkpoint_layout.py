"""Sealed files beside those of the safetensors package, and digests found in another thread."""

import hashlib
import json

import pytest
import safetensors.torch
import torch
from torch import nn

from ebmlab.errors import DtypeError, FileError
from ebmlab.training import load, save, sealed
from ebmlab.training.digest import PIECE, Digest, in_parts
from ebmlab.training.layout import DTYPES, NAMES, Layout, header_of

LARGE = PIECE // 2  # numbers of two pieces


def every_kind() -> dict[str, torch.Tensor]:
    numbers = torch.arange(6).reshape(2, 3)
    kinds = {f"{i}/é{name}": numbers.to(t) for i, (name, t) in enumerate(DTYPES.items())}
    return kinds | {"none": torch.zeros(0, 4), "one": torch.tensor(1.5)}


def as_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.flatten().view(torch.uint8).numpy().tobytes()


def test_another_reader_finds_every_kind_of_tensor(tmp_path):
    tensors, path = every_kind(), tmp_path / "all"
    path.write_bytes(b"".join(sealed.seal_tensors(tensors, "text").pieces))
    for found in (safetensors.torch.load_file(path), sealed.read_tensors(path)[0]):
        assert found.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
            assert as_bytes(found[name]) == as_bytes(tensor)


def test_the_file_of_another_writer_is_read(tmp_path):
    tensors, path = every_kind(), tmp_path / "all"
    metadata = {"format": sealed.FORMAT, "version": sealed.VERSION, "sha256": sealed.BLANK}
    content = safetensors.torch.save(tensors, metadata | {"manifest": "text"})
    path.write_bytes(b"".join(sealed.seal(content, start=8).pieces))
    found, text, _ = sealed.read_tensors(path)
    assert text == "text"
    assert {name: as_bytes(t) for name, t in found.items()} == {
        name: as_bytes(t) for name, t in tensors.items()
    }


def test_a_type_without_a_name_is_refused():
    with pytest.raises(DtypeError, match=r"x is torch\.complex128"):
        header_of({"x": torch.zeros(1, dtype=torch.complex128)}, {})


@pytest.mark.parametrize(
    "places",
    [
        {"a": [0, 4], "b": [8, 12]},  # a hole
        {"a": [0, 4], "b": [0, 4]},  # the same bytes twice
        {"a": [0, 4], "b": [4, 6]},  # too few for their shape
        {"a": [0, 4]},  # bytes of none
        {"a": [0, 4], "b": [4, True]},
        {"a": [-4, 0], "b": [0, 4]},
    ],
)
def test_a_header_that_does_not_fit_is_refused(places):
    header = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": place}
        for name, place in places.items()
    }
    with pytest.raises(ValueError, match=r"bytes|is told by"):
        Layout.read(json.dumps(header).encode(), 8)


def test_names_of_types_are_those_of_the_package():
    for name, t in DTYPES.items():
        header = safetensors.torch.save({"x": torch.zeros(1, dtype=t)})
        assert f'"{name}"'.encode() in header
    assert len(NAMES) == len(DTYPES)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, 3 * PIECE + 5])
def test_a_digest_in_pieces_is_that_of_the_whole(size):
    content = torch.randint(0, 256, (size,), generator=torch.Generator().manual_seed(0))
    view = memoryview(content.to(torch.uint8).numpy())
    digest = Digest(in_parts(view[: size // 3]))
    for part in in_parts(view[size // 3 :]):
        digest.add(part)
    assert digest.hex() == digest.hex() == hashlib.sha256(view).hexdigest()


def test_a_large_checkpoint_comes_back_and_any_damage_is_found(tmp_path):
    path, net = tmp_path / "large", nn.Linear(LARGE // 64, 64)
    save(path, net)
    other = nn.Linear(LARGE // 64, 64)
    load(path, other)
    assert torch.equal(other.weight, net.weight)
    content = path.read_bytes()
    places = torch.randint(len(content), (40,), generator=torch.Generator().manual_seed(0))
    for place in [*places.tolist(), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(FileError, match="damaged"):
            load(path, other)
    assert torch.equal(other.weight, net.weight)


class _Broken:
    def update(self, piece) -> None:
        if len(piece) >= PIECE:
            raise MemoryError("no room for the hash")

    def hexdigest(self) -> str:
        return "0" * 64


def test_an_error_in_the_other_thread_is_raised_by_the_caller(tmp_path, monkeypatch):
    path, net = tmp_path / "large", nn.Linear(LARGE // 64, 64)
    save(path, net)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "sha256", _Broken)
        with pytest.raises(MemoryError, match="no room for the hash"):
            save(path, net, step=1)
        with pytest.raises(MemoryError, match="no room for the hash"):
            load(path, net)
    assert [p.name for p in tmp_path.iterdir()] == ["large"]
    assert path.read_bytes() == before
    load(path, net)
