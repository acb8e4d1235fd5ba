"""Files that were made to harm end in a typed error, soon, and in little memory."""

import hashlib
import resource
import subprocess
import sys
import time
from pathlib import Path

import hostile_support as hostile
import pytest

from ebmlab.data import text
from ebmlab.data._files import DataFile
from ebmlab.data.idx import read_idx
from ebmlab.errors import ConfigurationError, DataError, FileError
from ebmlab.training import save

SECONDS, BYTES = 2.0, 200e6
READERS = [
    (hostile.CHECKPOINTS, hostile.loaded),
    (hostile.CONFIGS, hostile.configured),
    (hostile.RECORDS, hostile.recorded),
    (hostile.MANIFESTS, hostile.checked),
    (hostile.DATA, read_idx),
]
ROWS = [(name, make, read) for rows, read in READERS for name, make in rows.items()]


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory):
    """What is imported at the first use of an optimizer is not counted."""
    hostile.sound(tmp_path_factory.mktemp("warm") / "folder")
    hostile.parts()


@pytest.mark.parametrize(("make", "read"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_hostile_file_is_refused_soon_and_in_little_memory(tmp_path, make, read):
    path = tmp_path / "this"
    make(path)
    peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises((FileError, DataError, ConfigurationError), match="this"):
        read(path)
    assert time.process_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < BYTES


def test_the_same_files_are_read_where_nothing_is_wrong(tmp_path):
    net, optimizer, rng = hostile.parts()
    save(tmp_path / "run", net, optimizer, rngs={"main": rng}, step=5)
    hostile.loaded(tmp_path / "run")
    hostile.sound(tmp_path / "folder")
    for read in (hostile.configured, hostile.recorded, hostile.checked):
        read(tmp_path / "folder")
    (tmp_path / "numbers").write_bytes(hostile.idx(2, rest=b"xy"))
    assert read_idx(tmp_path / "numbers").tolist() == [120, 121]


@pytest.mark.parametrize("place", hostile.PLACES, ids=lambda place: place.__name__)
def test_neither_texts_nor_published_data_are_read_from_what_is_no_file(tmp_path, place):
    (tmp_path / "mnist").mkdir()
    path = tmp_path / "mnist" / "t10k.gz"
    place(path)
    file = DataFile("mnist", "t10k.gz", None, hashlib.sha256(b"").hexdigest()[::-1])
    with pytest.raises(DataError):
        file.content(tmp_path)
    if place in (hostile.pipe, hostile.endless, hostile.loop, hostile.folder, hostile.silent):
        with pytest.raises(DataError):
            text(path)


def test_no_more_is_unpacked_than_a_published_file_can_hold(tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "t10k.gz").write_bytes(hostile.bomb(b"", 2**26 + 1))
    with pytest.raises(DataError, match="unpacks to more than is expected"):
        DataFile("mnist", "t10k.gz", None, "0" * 64).content(tmp_path)


@pytest.mark.slow
def test_each_ends_within_two_seconds_and_200_megabytes_of_address_space(tmp_path):
    script = f"""
import pathlib, resource, sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1] / "support")!r}]
from ebmlab.errors import EbmlabError
from hostile_support import parts
from test_hostile_files import ROWS
parts()
for i, (name, make, read) in enumerate(ROWS):
    path = pathlib.Path({str(tmp_path)!r}) / str(i)
    make(path)
    size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (size + {int(BYTES)}, hard))
    start = time.process_time()
    try:
        read(path)
    except EbmlabError:
        print(f"{{time.process_time() - start:.3f}} {{name}}", flush=True)
    except BaseException as error:
        print(f"9 {{name}}: {{error!r}}", flush=True)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(ROWS) >= 40
    assert [line for line in lines if float(line.split()[0]) >= SECONDS] == []
