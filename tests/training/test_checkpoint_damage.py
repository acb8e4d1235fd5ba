import pickle
from pathlib import Path

import pytest
import torch
from checkpoint_support import everything, reseal
from safetensors.torch import save_file
from torch import nn

from ebmlab.errors import FileError
from ebmlab.training import load, save


@pytest.fixture
def small(tmp_path):
    net = nn.Linear(2, 1)
    rng = torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = tmp_path / "small.safetensors"
    save(path, net, optimizer, extra={"seed": 1})
    load(path, net, optimizer)
    return path, net, optimizer, rng


def test_a_flipped_bit_anywhere_is_refused_and_changes_nothing(small):
    path, *run = small
    content = path.read_bytes()
    before = everything(*run)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"small\.safetensors"):
            load(path, *run[:2])
    assert everything(*run) == before
    path.write_bytes(content)
    load(path, *run[:2])


def test_a_truncated_empty_or_longer_file_is_refused(small):
    path, *run = small
    content = path.read_bytes()
    before = everything(*run)
    for length in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"cut short|damaged"):
            load(path, *run[:2])
    path.write_bytes(content + b"\0")
    with pytest.raises(FileError, match="damaged"):
        load(path, *run[:2])
    assert everything(*run) == before


def test_files_of_another_kind_are_refused(tmp_path):
    net = nn.Linear(1, 1)
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path / "missing", net)
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path, net)
    save_file(net.state_dict(), tmp_path / "plain.safetensors")
    with pytest.raises(FileError, match="no SHA-256"):
        load(tmp_path / "plain.safetensors", net)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b'"version":"1"', b'"version":"2"', "version 2; this release reads"),
        (b'"format":"ebm', b'"format":"abm', "is abmlab.checkpoint"),
        (b'"version":"1"', b'"venison":"1"', "no checkpoint: KeyError"),
        (b'\\"step\\": 0', b'\\"slip\\": 0', "malformed: TypeError"),
        (b'\\"dict\\": [', b'\\"fict\\": [', "malformed: ValueError"),
        (b'\\"method\\": {', b'\\"method\\": [', "malformed: JSONDecodeError"),
        (b'"dtype":"F32"', b'"dtype":"F99"', "no checkpoint"),
    ],
)
def test_an_intact_file_of_another_make_is_refused(tmp_path, old, new, match):
    path, net = tmp_path / "run", nn.Linear(1, 1, bias=False)
    save(path, net)
    reseal(path, lambda content: content)
    load(path, net)
    assert old in path.read_bytes()
    reseal(path, lambda content: content.replace(old, new, 1))
    with pytest.raises(FileError, match=match):
        load(path, net)


class Malicious:
    def __init__(self, marker) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_pickle_is_refused_and_never_executed(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "run"
    payload = pickle.dumps(Malicious(marker))
    path.write_bytes(payload)
    with pytest.raises(FileError):
        load(path, nn.Linear(1, 1))
    torch.save({"weight": Malicious(marker)}, path)
    with pytest.raises(FileError):
        load(path, nn.Linear(1, 1))
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists()
