"""Run a function on ranks that talk through gloo, and bring back what each returns.

Ranks start once and wait for functions: to start them costs more than most functions take.
"""

import atexit
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

import torch
from torch import distributed

RANKS = 2
# A server that has imported torch once is forked for each rank, without autograd's threads.
FORKED = get_context("forkserver")
FORKED.set_forkserver_preload(["ebmlab.methods", "pytest", "torch.distributed.fsdp", __name__])


def on_two_ranks(function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """What function(rank, *inputs) returns on each of two ranks; it lives at a module's top."""
    return on_ranks(RANKS, function, *inputs)


def on_ranks(count: int, function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """What function(rank, *inputs) returns on each rank; it lives at a module's top."""
    if count not in WORLDS:
        WORLDS[count] = World(count)
    try:
        return WORLDS[count].run(function, *inputs)
    except BaseException:
        # Ranks may wait for one that is gone: the next function has others.
        WORLDS.pop(count).close()
        raise


class World:
    """Ranks that have joined a group, each at the other end of a pipe."""

    def __init__(self, count: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        pipes = [FORKED.Pipe() for _ in range(count)]
        self.pipes = [ours for ours, _ in pipes]
        self.ranks = [
            FORKED.Process(target=_serve, args=(rank, count, self.folder, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for rank, (_, theirs) in zip(self.ranks, pipes, strict=True):
            rank.start()
            theirs.close()

    def run(self, function: Callable[..., Any], *inputs: Any) -> list[Any]:
        """What the function returns on each rank; the first error ends it."""
        for pipe in self.pipes:
            pipe.send((function, inputs))
        waiting = list(self.pipes)
        while waiting:
            for pipe in connection.wait(waiting):
                error = pipe.recv()  # EOFError where the rank is gone
                if error is not None:
                    raise RuntimeError(f"rank {self.pipes.index(pipe)}:\n{error}")
                waiting.remove(pipe)
        files = [_file(self.folder, rank) for rank in range(len(self.ranks))]
        return [torch.load(file, weights_only=False) for file in files]

    def close(self) -> None:
        """End the ranks."""
        for rank in self.ranks:
            rank.terminate()
            rank.join()
        shutil.rmtree(self.folder)


WORLDS: dict[int, World] = {}


@atexit.register
def _close() -> None:
    while WORLDS:
        WORLDS.popitem()[1].close()


def _file(folder: Path, rank: int) -> Path:
    return folder / f"{rank}.pt"


def _serve(rank: int, count: int, folder: Path, pipe: connection.Connection) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    while True:
        try:
            function, inputs = pipe.recv()
        except EOFError:
            return
        try:
            torch.manual_seed(0)  # nothing hangs on what ran before
            torch.save(function(rank, *inputs), _file(folder, rank))
            pipe.send(None)
        except BaseException:
            pipe.send(traceback.format_exc())
            raise
