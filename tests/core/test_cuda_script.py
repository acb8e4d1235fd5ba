"""What `benchmarks/cuda.sh` asks of a GPU: the topics of `run.py`, in fifteen minutes at most."""

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LIMIT = 15 * 60

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Run the script where `timeout` only writes down what it is given, and fails at a word."""
    log = tmp_path / "log"
    stand_in = tmp_path / "timeout"
    lines = ["#!/bin/sh", f'echo "$@" >> {log}', 'case "$*" in *"$FAILING"*) exit 1; esac', ""]
    stand_in.write_text("\n".join(lines))
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def script(*parts, device="cuda", failing="no part"):
        environment = {**os.environ, "DEVICE": device, "FAILING": failing}
        command = ["bash", str(BENCHMARKS / "cuda.sh"), *parts]
        pipes = {"capture_output": True, "text": True}
        done = subprocess.run(command, env=environment, check=False, **pipes)
        return done, log.read_text().splitlines() if log.exists() else []

    return script


def topics(commands):
    return tuple(re.findall(r"--topic (\w+)", "\n".join(commands)))


def test_all_parts_fit_into_a_quarter_of_an_hour(told, monkeypatch):
    done, commands = told()
    assert done.returncode == 0, done.stderr
    # Starting an interpreter each time is in the seconds of its part.
    assert sum(int(command.split()[0]) for command in commands) < LIMIT
    assert "floors" in commands[0]
    assert "pytest" in commands[1]
    assert "seer.py --part speed --device cuda --networks" in commands[-1]
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XLA_FLAGS", "")
    assert topics(commands) == importlib.import_module("run").CUDA
    results = re.findall(r"--out (\S+)", "\n".join(commands))
    assert {str(Path(path).parent) for path in results[:-1]} == {"benchmarks/results"}


def test_a_part_that_fails_is_named_and_the_next_begins(told):
    done, commands = told("langevin", "hmc", failing="langevin")
    assert done.returncode == 1
    assert topics(commands) == ("langevin", "hmc")
    assert "not done: langevin" in done.stdout
    done, _ = told("lengevin")
    assert done.returncode == 1
    assert "there is no part lengevin" in done.stderr


def test_on_a_cpu_sizes_are_small_and_nothing_is_kept(told):
    done, commands = told("nt_xent", "seer", device="cpu")
    assert done.returncode == 0
    assert "--device cpu --quick" in commands[0]
    (folder,) = {Path(p).parent for p in re.findall(r"--out (\S+/\S+\.json)", commands[0])}
    assert folder != BENCHMARKS / "results"
    assert not folder.exists()
