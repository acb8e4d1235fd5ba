"""Steps of SEER on crops of noise: seconds, bytes kept, peak memory; a process for each reading.

A reading is JSON:

python benchmarks/seer_steps.py '{"network": "400mf", "batch": 8, "large": 64, "small": 32}'
"""

import json
import os
import resource
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from seer_counts import Crops, Head, built, kept
from torch import Tensor

from ebmlab.networks import recomputed
from ebmlab.protocols import Method
from ebmlab.training import LARS

# Tensors get pages of their own, which go back when they are freed: what is resident is in use.
PAGES = {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Reading:
    """What one process does: `steps` steps of `batch` images, the first of which warms up."""

    network: str
    batch: int
    large: int = 160
    small: int = 96
    count: int = 4
    recompute: bool = False
    half: bool = False
    hidden: int = 8192
    prototypes: int = 16_000
    steps: int = 3
    counted: bool = True
    device: str = "cpu"

    @property
    def crops(self) -> Crops:
        """The views of an image."""
        return Crops(self.large, self.small, self.count)


def read(reading: Reading) -> dict[str, Any]:
    """Run a reading in a process of its own; where memory is exhausted it says so."""
    command = [sys.executable, str(Path(__file__)), json.dumps(asdict(reading))]
    done = subprocess.run(
        command, env=os.environ | PAGES, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        return asdict(reading) | {"failed": said[0]}
    return asdict(reading) | json.loads(done.stdout.splitlines()[-1])


def _taken(reading: Reading) -> dict[str, Any]:
    device = torch.device(reading.device)
    torch.manual_seed(0)
    with device:
        method = built(reading.network, Head(reading.hidden, 256, reading.prototypes))
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        method = method.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if reading.recompute:
        recomputed(method)
    optimizer = LARS([{"params": list(method.parameters())}], lr=0.3, weight_decay=1e-5)

    def step(n: int) -> Tensor:
        views = _views(reading, n, device)
        with _half(reading, device):
            value = method(views, views[:2], None).value
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    step(2)
    before = _forget(device)
    begun, seconds, values = time.perf_counter(), [], []
    for _ in range(reading.steps):
        values.append(float(step(reading.batch)))
        seconds.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    peak = _peak(device)
    return {
        "seconds": min(seconds),
        "value": values[-1],
        "peak": peak - before,
        "all": peak,
        "kept": _kept(method, reading, device) if reading.counted else None,
    }


def _kept(method: Method, reading: Reading, device: torch.device) -> int:
    views = _views(reading, reading.batch, device)
    with _half(reading, device):
        return kept(method, lambda: method(views, views[:2], None).value)


def _views(reading: Reading, n: int, device: torch.device) -> tuple[Tensor, ...]:
    rng = torch.Generator(device).manual_seed(0)
    sizes = reading.crops.sizes
    views = (torch.randn(n, 3, s, s, generator=rng, device=device) for s in sizes)
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    return tuple(view.contiguous(memory_format=layout) for view in views)


def _half(reading: Reading, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16, enabled=reading.half)


def _forget(device: torch.device) -> int:
    """Begin a new peak; bytes in use now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    print(json.dumps(_taken(Reading(**json.loads(sys.argv[1])))))
