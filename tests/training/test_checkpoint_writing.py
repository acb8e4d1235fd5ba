import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from checkpoint_support import trained_run
from torch import nn

from ebmlab.errors import ConfigurationError, DtypeError, FileError
from ebmlab.training import load, save

trained = pytest.fixture(trained_run)


def test_what_a_checkpoint_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    net, path = nn.Linear(1, 1), tmp_path / "run"
    foreign = torch.optim.SGD([*net.parameters(), nn.Parameter(torch.ones(3))], lr=0.1)
    with pytest.raises(ConfigurationError, match=r"parameters of shapes \[\(3,\)\]"):
        save(path, net, foreign)
    with pytest.raises(ConfigurationError, match="extra/when is a PosixPath"):
        save(path, net, extra={"when": path.absolute()})
    net.register_buffer("wide", torch.ones(1, dtype=torch.complex128))
    with pytest.raises(DtypeError, match=r"method/wide is torch\.complex128"):
        save(path, net)
    net.wide = torch.ones(2, 2).to_sparse()
    with pytest.raises(DtypeError, match=r"method/wide .* torch\.sparse_coo"):
        save(path, net)
    assert list(tmp_path.iterdir()) == []


def only(path: Path) -> bytes:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path.read_bytes()


def test_a_full_disk_leaves_the_old_file_and_no_litter(trained):
    path, (method, optimizer, rng), _ = trained
    before = only(path)
    method.energy.online[0].weight.data.add_(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(FileError, match=r"was not written .*File too large"):
            save(path, method, optimizer, rngs={"main": rng})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert only(path) == before
    save(path, method, optimizer, rngs={"main": rng})
    assert only(path) != before


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_the_end_leaves_the_old_file_and_no_litter(trained, monkeypatch, step, error):
    path, (method, *_), _ = trained
    before = only(path)

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt):
        save(path, method)
    assert only(path) == before


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="was not written"):
        save(tmp_path / "file" / "run", nn.Linear(1, 1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match="was not written"):
        save(tmp_path / "folder", nn.Linear(1, 1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_folders_are_made_and_others_may_read_the_file(tmp_path):
    path = tmp_path / "a" / "b" / "run.safetensors"
    save(str(path), nn.Linear(1, 1))
    load(str(path), nn.Linear(1, 1))
    (tmp_path / "ordinary").touch()
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path):
    path = tmp_path / "run.safetensors"
    script = f"""
import torch
from ebmlab.training import save
net = torch.nn.Linear(1000, 300)
step = 0
while True:
    step += 1
    torch.nn.init.constant_(net.weight, step)
    save({str(path)!r}, net, step=step)
"""
    child = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    net = nn.Linear(1000, 300)
    step = load(path, net).step
    assert step >= 1
    assert (net.weight == step).all()
