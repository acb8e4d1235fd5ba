"""Run a function on ranks that talk through gloo, and bring back what each returns."""

import multiprocessing as forkserver
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

RANKS = 2


def on_two_ranks(function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """What function(rank, *inputs) returns on each of two ranks; it lives at a module's top."""
    return on_ranks(RANKS, function, *inputs)


def on_ranks(count: int, function: Callable[..., Any], *inputs: Any) -> list[Any]:
    """What function(rank, *inputs) returns on each rank; it lives at a module's top."""
    # A server that has imported torch once is forked for each rank, without autograd's threads.
    forkserver.set_forkserver_preload(["ebmlab.methods", "pytest", __name__])
    with tempfile.TemporaryDirectory() as folder:
        arguments = (count, function, folder, inputs)
        multiprocessing.start_processes(_run, arguments, count, start_method="forkserver")
        files = [Path(folder, f"{rank}.pt") for rank in range(count)]
        return [torch.load(file, weights_only=False) for file in files]


def _run(rank: int, count: int, function: Callable[..., Any], folder: str, inputs: tuple) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    store = f"file://{Path(folder, 'store')}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=count)
    try:
        torch.save(function(rank, *inputs), Path(folder, f"{rank}.pt"))
    finally:
        distributed.destroy_process_group()
