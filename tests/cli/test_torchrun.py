"""`torchrun -m ebmlab train`: one run of all ranks, and the end of all where one ends."""

import os
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

TRAIN = ["train", "simclr", "--encoder", "conv", "--dim", "16", "--data", "digits"]
TRAIN += ["--limit", "256", "--batch-size", "64", "--epochs", "2"]
TRAIN += ["--optimizer", "sgd", "--lr", "0.05"]
SCRIPT = """
import os, signal
from ebmlab.errors import DataError
from ebmlab.runs.batches import Batches

draw = Batches.batch

def batch(self, step, draws):
    if step == 3 and os.environ["RANK"] == "1":
        {what}
    return draw(self, step, draws)

Batches.batch = batch
from ebmlab.cli import main
main()
"""


def launched(*command, ranks=2):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [*torchrun, *map(str, command)], capture_output=True, text=True, env=environment,
        timeout=300, check=False,
    )  # fmt: skip


def weights(run):
    state = load_file(run / "checkpoint.safetensors")
    return {name: t for name, t in state.items() if name.startswith("method/")}


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_train_one_run_to_the_weights_of_one_process(tmp_path, ranks):
    subprocess.run(
        [sys.executable, "-m", "ebmlab", *TRAIN, "--out", str(tmp_path / "one")], check=True
    )
    done = launched("-m", "ebmlab", *TRAIN, "--out", tmp_path / "all", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("8 steps") == 1
    one, all_ = weights(tmp_path / "one"), weights(tmp_path / "all")
    assert one.keys() == all_.keys()
    for name, value in one.items():
        torch.testing.assert_close(all_[name], value, rtol=1e-5, atol=2e-6, msg=name)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ('raise DataError("a picture is gone")', "ebmlab: rank 1: a picture is gone"),
        ("os.kill(os.getpid(), signal.SIGKILL)", None),
    ],
    ids=["raises", "is killed"],
)
def test_where_one_rank_ends_all_end_soon_and_the_run_goes_on(tmp_path, what, line):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(what=what))
    command = (*TRAIN, "--out", tmp_path / "run")
    started = time.monotonic()
    ended = launched(script, *command)
    assert ended.returncode != 0
    assert time.monotonic() - started < 60
    said = [one for one in ended.stderr.splitlines() if one.startswith("ebmlab:")]
    assert len(said) == len(set(said)) <= 2
    assert line is None or line in said
    assert all("rank" in one for one in said)
    more = launched("-m", "ebmlab", *command, "--resume")
    assert more.returncode == 0, more.stderr
    whole = launched("-m", "ebmlab", *TRAIN, "--out", tmp_path / "whole")
    assert whole.returncode == 0
    again = weights(tmp_path / "run")
    assert all(torch.equal(value, again[n]) for n, value in weights(tmp_path / "whole").items())
