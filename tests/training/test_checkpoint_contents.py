import hashlib
import json
import math

import pytest
import torch
from checkpoint_support import trained_run
from safetensors import safe_open
from torch import nn

from ebmlab.training import load, save
from ebmlab.training.checkpoint import Restored
from ebmlab.training.packing import Packer, unpack

trained = pytest.fixture(trained_run)


def test_a_shared_encoder_is_stored_once_and_restored_under_all_its_names(trained):
    path, (method, *_), (again, *_) = trained
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.endswith("0.weight")]  # noqa: SIM118
        assert [n for n in names if n.startswith("method")] == [
            "method/energy.online.0.weight",
            "method/energy.teacher.own.0.weight",
        ]
    load(path, again)
    assert again.energy.target is again.encoder is again.energy.online
    assert torch.equal(again.encoder[0].weight, method.encoder[0].weight)


def test_every_kind_of_tensor_comes_back(tmp_path):
    class Zoo(nn.Module):
        def __init__(self, fill) -> None:
            super().__init__()
            base = torch.arange(12.0) * fill
            self.transposed = nn.Parameter((base.reshape(3, 4)).t())
            self.part = nn.Parameter(base[2:7])
            self.overlapping = nn.Parameter(base[5:9])
            self.tied = self.part
            self.register_buffer("reshaped", self.part.data.view(5, 1))
            self.register_buffer("square", torch.arange(4.0).reshape(2, 2) * fill)
            self.register_buffer("its_transpose", self.square.t())
            self.register_buffer("scalar", torch.tensor(math.pi * fill, dtype=torch.float64))
            self.register_buffer("empty", torch.zeros(0, 3))
            self.register_buffer("rough", torch.full((2,), 0.1 * fill).bfloat16())
            self.register_buffer("flags", torch.tensor([fill == 1, False]))
            self.register_buffer("complex", torch.tensor([1j * fill]))
            self.register_buffer("bad", torch.tensor([math.nan, math.inf, -0.0]) * fill)

    saved, again = Zoo(1), Zoo(2)
    save(tmp_path / "zoo", saved)
    before = {n: t.data_ptr() for n, t in again.state_dict().items()}
    load(tmp_path / "zoo", again)
    for name, value in saved.state_dict().items():
        torch.testing.assert_close(
            again.state_dict()[name], value, rtol=0, atol=0, equal_nan=True, check_stride=True
        )
        assert again.state_dict()[name].data_ptr() == before[name]
    assert again.bad[2].signbit()


def test_tensors_that_live_briefly_or_share_a_name_are_not_confused():
    packer = Packer()
    packed = [packer.pack(torch.full((2, 3), float(i)).t(), f"{i}") for i in range(50)]
    packed.append(packer.pack({1: torch.tensor(1.0), "1": torch.tensor(2.0)}, "keys"))
    *values, keys = unpack(packed, packer.tensors)
    assert [float(value.mean()) for value in values] == [*range(50)]
    assert keys == {1: torch.tensor(1.0), "1": torch.tensor(2.0)}


def test_modules_are_told_their_version(tmp_path):
    class Versioned(nn.Linear):
        _version = 3

        def _load_from_state_dict(self, state, prefix, metadata, *rest) -> None:
            self.told = metadata.get("version")
            super()._load_from_state_dict(state, prefix, metadata, *rest)

    save(tmp_path / "run", Versioned(1, 1))
    again = Versioned(1, 1)
    load(tmp_path / "run", again)
    assert again.told == 3


def test_extra_comes_back_as_it_was(tmp_path):
    extra = {
        "none": None, "tuple": (1, 2.5, True), "list": ["a", {"b": ()}], 3: 0.1 + 0.2,
        "nan": math.inf, "quotes": '"sha256":"' + "0" * 64 + '"', "tensor": torch.arange(3),
    }  # fmt: skip
    save(tmp_path / "run", nn.Linear(1, 1), extra=extra, step=3)
    restored = load(tmp_path / "run", nn.Linear(1, 1))
    assert torch.equal(restored.extra.pop("tensor"), extra.pop("tensor"))
    assert restored == Restored(3, extra)
    assert isinstance(restored.extra["tuple"], tuple)


def test_any_safetensors_reader_opens_the_file(trained):
    path, (method, *_), _ = trained
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        weight = file.get_tensor("method/energy.online.0.weight")
    assert torch.equal(weight, method.energy.online[0].weight)
    assert (metadata["format"], metadata["version"]) == ("ebmlab.checkpoint", "1")
    assert json.loads(metadata["manifest"])["step"] == 5
    # The digest can be checked with nothing but a hash: it covers the file with itself as zeros.
    blank = path.read_bytes().replace(metadata["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == metadata["sha256"]
