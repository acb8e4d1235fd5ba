"""Runs that are killed again and again, each by kill -9, and go on."""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ebmlab.runs import Config, train
from ebmlab.runs.restore import restore
from ebmlab.training.folder import Folder
from ebmlab.training.record import read_record


def config(epochs: int, seed: int = 0) -> Config:
    """A run whose steps take about a millisecond, kept at each second one."""
    return Config(
        method="denoising_score", data="two-moons", epochs=epochs, batch_size=32, lr=1e-3,
        decay=True, encoder=None, dim=None, limit=64, seed=seed, device="cpu",
    )  # fmt: skip


def told(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def forked(work: Callable[[], object]) -> int:
    """The number of a process that does this; it ends without anything that cleans up."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            told(repr(error))
            os._exit(1)
        os._exit(0)
    return child


def killed(asked: Config, out: Path, times: int, seed: int) -> None:
    """Begin a run, kill it at random moments, look at its folder each time, and end it."""
    torch.set_num_threads(1)
    rng = random.Random(seed)
    kills = 0
    while kills < times:
        child = forked(lambda: train(asked, out, resume=True, every=10))
        time.sleep(rng.uniform(0.0, 0.4))
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            told(json.dumps({"ended": code, "kills": kills}))
            return
        kills += 1
        if (out / "config.json").exists():
            Folder(out).check()
        if (out / "checkpoint.safetensors").exists():
            restore(out)
            read_record(out / "metrics.jsonl")
    train(asked, out, resume=True, every=10)
    told(json.dumps({"kills": kills, "left": sorted(p.name for p in out.iterdir())}))


if __name__ == "__main__":
    killed(config(int(sys.argv[2])), Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))
