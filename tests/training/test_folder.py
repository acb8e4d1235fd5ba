import errno
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from folder_support import filled, state
from torch import nn

from ebmlab import _disk
from ebmlab.errors import FileError
from ebmlab.training.checkpoints import Checkpoints
from ebmlab.training.folder import Folder


def looked_at(path: Path) -> None:
    """Read all that a folder holds, as those do who go on with a run."""
    folder = Folder(path)
    folder.check()
    for name in ("config.json", "evaluation.json"):
        folder.read(name)
    folder.lines("metrics.jsonl")
    Checkpoints(path).latest(nn.Linear(2, 1))


@pytest.mark.filterwarnings("error")
def test_every_flipped_bit_is_found_and_its_file_is_named(tmp_path):
    filled(tmp_path)
    looked_at(tmp_path)
    whole = state(tmp_path)
    assert len(whole) == 6
    for name, content in whole.items():
        # Those of tensors are flipped at every byte by another test.
        step = 211 if name.endswith(".safetensors") else 13
        for position in [*range(0, len(content), step), len(content) - 1]:
            damaged = bytearray(content)
            damaged[position] ^= 1 << position % 8
            (tmp_path / name).write_bytes(damaged)
            # Of tensors the newest is looked at, unless that is damaged.
            if name == "checkpoint.before.safetensors":
                (tmp_path / "checkpoint.safetensors").unlink()
            with pytest.raises((FileError, UserWarning), match=name):
                looked_at(tmp_path)
            for other in (name, "checkpoint.safetensors"):
                (tmp_path / other).write_bytes(whole[other])
    looked_at(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "evaluation.json"])
def test_a_file_that_is_cut_short_or_longer_is_found(tmp_path, name):
    filled(tmp_path)
    content = (tmp_path / name).read_bytes()
    for changed in (b"", content[: content.index(b"\n", 5) + 1][:-2], content + content):
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(FileError, match=name):
            Folder(tmp_path).check()


def test_lines_that_are_missing_or_swapped_are_found(tmp_path):
    folder = filled(tmp_path)
    path = tmp_path / "metrics.jsonl"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for order in ((second, third), (first, third), (first, third, second), (first, second)):
        path.write_bytes(b"".join(order))
        with pytest.raises(FileError, match=r"metrics\.jsonl is damaged"):
            folder.lines("metrics.jsonl")
    # A line that a killed process left unfinished is no damage.
    for unfinished in (b"{", third[:-1], third[:-30]):
        path.write_bytes(first + second + third + unfinished)
        assert [line.values["step"] for line in folder.lines("metrics.jsonl")] == [1, 2, 3]


def test_lines_that_are_kept_stay_to_the_byte_and_others_follow(tmp_path):
    folder = filled(tmp_path)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 4, "unfin')
    lines = folder.lines("metrics.jsonl")
    folder.cut("metrics.jsonl", lines[:2])
    assert (tmp_path / "metrics.jsonl").read_bytes() == before[: lines[1].end]
    folder.append("metrics.jsonl", {"step": 3})
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    folder.check()


def test_a_manifest_that_is_missing_or_lists_too_little_is_said(tmp_path):
    folder = filled(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(FileError, match=r"config\.json is not listed in .*manifest\.json"):
        folder.read("config.json")


# After which call, how often called before, the process ends as if by kill -9. To rename is the
# only way in which a file comes into its place, so that these are all states that others see.
RENAMED = [("replace", count) for count in range(8)]
OTHERS = [*(("fsync", count) for count in range(12)), ("hardlink_to", 0), ("write", 0)]


def dying(call: str, count: int, path: Path) -> None:
    """Change all files of a folder, in a process that ends in the middle of it."""
    owner = Path if call in ("replace", "hardlink_to") else os
    real, calls = getattr(owner, call), [0]

    def last(*arguments):
        result = real(*arguments)
        calls[0] += 1
        if calls[0] == count + 1:
            os._exit(9)
        return result

    setattr(owner, call, last)
    with Folder(path).locked() as folder:
        folder.write("config.json", '{"seed": 1}')
        folder.append("metrics.jsonl", {"step": 4})
        Checkpoints(path).save(nn.Linear(2, 1), step=4)
        folder.cut("metrics.jsonl", folder.lines("metrics.jsonl")[:2])
        folder.write("evaluation.json", "{}")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    "moments", [RENAMED, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["renames", "others"]
)
def test_a_process_killed_at_any_moment_leaves_all_files_whole(tmp_path, moments):
    codes = []
    for i, (call, count) in enumerate(moments):
        path = tmp_path / str(i)
        filled(path)
        child = os.fork()
        if child == 0:
            try:
                dying(call, count, path)
            finally:
                os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        looked_at(path)
        steps = [line.values["step"] for line in Folder(path).lines("metrics.jsonl")]
        assert steps in ([1, 2, 3], [1, 2, 3, 4], [1, 2])
        with Folder(path).locked():
            assert not list(path.glob(_disk.TEMPORARY))
        # And it goes on as if nothing had happened.
        again = Checkpoints(path)
        again.save(nn.Linear(2, 1), step=5)
        found = again.latest(nn.Linear(2, 1))
        assert found is not None
        assert found.step == 5
        looked_at(path)
    assert codes.count(9) > len(moments) // 2


def test_a_full_disk_leaves_all_files_whole(tmp_path):
    folder = filled(tmp_path)
    before = state(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    long = "x" * 8192
    try:
        # Less than any of these needs, and more than the manifest.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
        for work in (
            lambda: folder.write("config.json", long),
            lambda: folder.append("metrics.jsonl", {"step": 4, "name": long}),
            lambda: Checkpoints(tmp_path).save(nn.Linear(99, 99), step=3),
        ):
            with pytest.raises(FileError, match=r"was not written .*File too large"):
                work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert state(tmp_path) == before
    looked_at(tmp_path)


@pytest.mark.parametrize("failing", ["fsync", "write"])
def test_a_disk_that_fails_at_any_moment_leaves_all_files_whole(tmp_path, monkeypatch, failing):
    folder, real = filled(tmp_path), getattr(os, failing)
    for count in range(6):
        calls = [0]

        def fail(*arguments, calls=calls, count=count):
            calls[0] += 1
            if calls[0] > count:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        monkeypatch.setattr(os, failing, fail)
        for work in (
            lambda: folder.append("metrics.jsonl", {"step": 4}),
            lambda: folder.write("config.json", "{}"),
            lambda: Checkpoints(tmp_path).save(nn.Linear(2, 1), step=4),
        ):
            with suppress(FileError):
                work()
        monkeypatch.undo()
        looked_at(tmp_path)
        assert not list(tmp_path.glob(_disk.TEMPORARY))


def test_a_second_run_is_refused_until_the_first_ends_however_it_ends(tmp_path):
    script = f"""
import fcntl, pathlib
with pathlib.Path({str(tmp_path / ".lock")!r}).open("w") as file:
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
        with pytest.raises(FileError, match="is in use by another run"), Folder(tmp_path).locked():
            pass
        (tmp_path / ".config.json.01234567.tmp").touch()
        child.kill()
        child.wait()
        with Folder(tmp_path).locked(), Folder(tmp_path).locked():
            assert not list(tmp_path.glob(_disk.TEMPORARY))


def test_a_lock_belongs_to_one_thread(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def take() -> None:
        with Folder(tmp_path).locked():
            pass

    with ThreadPoolExecutor(1) as pool:
        with Folder(tmp_path).locked(), pytest.raises(FileError, match="in use"):
            pool.submit(take).result()
        pool.submit(take).result()
