import json
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cli_support import ebmlab
from folder_support import remade
from killing_support import config
from safetensors.torch import load_file

from ebmlab.errors import FileError
from ebmlab.runs import train
from ebmlab.runs.restore import restore
from ebmlab.training.folder import Folder
from ebmlab.training.record import read_record

FILES = [
    "config.json",
    "metrics.jsonl",
    "evaluation.json",
    "manifest.json",
    "checkpoint.safetensors",
    "checkpoint.before.safetensors",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three epochs, kept at each."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(config(3), out, every=2)
    Folder(out).write("evaluation.json", json.dumps({"numbers": {"nll": 1.5}}))
    return out


@pytest.fixture
def run(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def going_on(run: Path, epochs: int = 3) -> tuple[object, ...]:
    """The command that goes on with a run, or begins it."""
    small = ("--epochs", epochs, "--limit", 64, "--batch-size", 32, "--lr", 1e-3)
    data = ("--data", "two-moons")
    return ("train", "denoising_score", *data, *small, "--resume", "--out", run)


def flipped(path: Path, position: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def same(a: Path, b: Path) -> None:
    """Two runs have the same weights and records, to the last bit."""
    one, other = (load_file(run / "checkpoint.safetensors") for run in (a, b))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    lines = [read_record(run / "metrics.jsonl") for run in (a, b)]
    for line in [*lines[0], *lines[1]]:
        line.pop("seconds")
    assert lines[0] == lines[1]


def test_all_files_of_a_run_are_listed(run):
    assert sorted(p.name for p in run.iterdir()) == sorted([*FILES, ".lock"])
    listed = json.loads((run / "manifest.json").read_text())["files"]
    assert {*listed} == {*FILES} - {"manifest.json"}
    assert all(len(digests) == 1 for digests in listed.values())


@pytest.mark.parametrize("name", FILES[:4])
@pytest.mark.parametrize("command", ["evaluate", "plot", "sample", "train"])
def test_every_command_names_a_damaged_file(run, monkeypatch, name, command):
    flipped(run / name, 17, 3)
    arguments = going_on(run) if command == "train" else (command, run)
    said = ebmlab(monkeypatch, *arguments)
    assert isinstance(said, str)
    assert f"{run / name} is damaged" in said


def noticed(run: Path, name: str) -> bool:
    """Whether who goes on with a run, or looks at it, is told of this file by its name."""
    if name == FILES[-1]:
        (run / FILES[-2]).unlink()
    try:
        restore(run)
    except (FileError, UserWarning) as error:
        return str(run / name) in str(error)
    return False


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_two_hundred_of_two_hundred_flipped_bits_are_found(run):
    contents = {name: (run / name).read_bytes() for name in FILES}
    assert not noticed(run, "config.json")
    found, rng = 0, random.Random(0)
    for i in range(200):
        name = FILES[i % len(FILES)]
        flipped(run / name, rng.randrange(len(contents[name])), rng.randrange(8))
        found += noticed(run, name)
        for each, content in contents.items():
            (run / each).write_bytes(content)
    assert found == 200


def test_a_damaged_checkpoint_is_named_once_and_the_run_goes_on_from_the_one_before(run, whole):
    flipped(run / "checkpoint.safetensors", 5000, 3)
    with pytest.warns(UserWarning, match="is damaged") as told:
        stopped = restore(run)[2].step
    with pytest.warns(UserWarning, match="is damaged") as again:
        train(config(3), run, resume=True, every=2)
    told = [*told, *again]
    assert (stopped, len(told)) == (4, 2)
    for each in told:
        assert f"{run / 'checkpoint.safetensors'} is damaged" in str(each.message)
        assert str(each.message).endswith("; step 4 is taken instead")
    same(run, whole)
    assert restore(run)[2].step == 6


def test_two_damaged_checkpoints_are_both_named(run):
    for name in FILES[-2:]:
        flipped(run / name, 5000, 3)
    with pytest.raises(FileError, match=r"checkpoint\.safetensors is .*checkpoint\.before\.safe"):
        train(config(5), run, resume=True)


def test_a_checkpoint_of_another_run_is_refused(run, tmp_path):
    train(config(3, seed=1), tmp_path / "other", every=2)
    for name in FILES[-2:]:
        shutil.copy(tmp_path / "other" / name, run / name)
    with pytest.raises(FileError, match=r"checkpoint\.safetensors is damaged, or of another run"):
        train(config(3), run, resume=True)
    listed = json.loads((run / "manifest.json").read_text())
    others = json.loads((tmp_path / "other" / "manifest.json").read_text())
    listed["files"] |= {name: others["files"][name] for name in FILES[-2:]}
    remade(run, listed)
    for look in (lambda: train(config(3), run, resume=True), lambda: restore(run)):
        with pytest.raises(FileError, match="seed: 1 in the file, 0 here"):
            look()


def test_resume_begins_where_nothing_is_there_yet(whole, tmp_path):
    train(config(3), tmp_path / "run", resume=True, every=2)
    same(tmp_path / "run", whole)


def test_a_second_process_on_one_folder_is_refused(run, monkeypatch):
    script = f"""
import fcntl, pathlib
with pathlib.Path({str(run / ".lock")!r}).open("w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    input()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        assert f"{run} is in use by another run" in ebmlab(monkeypatch, *going_on(run))
        child.kill()
    assert ebmlab(monkeypatch, *going_on(run)) == 0


def test_a_disk_that_is_full_ends_a_run_whose_files_are_whole_and_which_goes_on(whole, tmp_path):
    run, limits = tmp_path / "run", resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # Enough for what is small.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(FileError, match=r"checkpoint\.safetensors was not written"):
            train(config(3), run, every=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    Folder(run).check()
    assert [line["step"] for line in read_record(run / "metrics.jsonl")] == [2]
    train(config(3), run, resume=True, every=2)
    same(run, whole)


@pytest.mark.slow
def test_a_run_killed_at_forty_random_moments_ends_as_if_it_had_not_been(tmp_path):
    epochs, times = 400, 40
    script = Path(__file__).parents[1] / "support" / "killing_support.py"
    arguments = [str(tmp_path / "killed"), str(epochs), str(times), "0"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1])["kills"] == times
    train(config(epochs), tmp_path / "whole", every=10)
    same(tmp_path / "killed", tmp_path / "whole")
