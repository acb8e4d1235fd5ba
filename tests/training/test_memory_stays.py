"""Nothing piles up in training: memory after 5,000 steps is that after 500."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAST, MOST = 500, 5000
# A process of its own for each: what others have freed would be used again, unseen.
PROGRAM = f"""
import ctypes, gc, os, sys, torch
from ebmlab import fit, methods
from ebmlab.energies import MLP
from ebmlab.networks import MLP as Net
from ebmlab.samplers import Langevin
from ebmlab.training import Recording

torch.set_num_threads(1)
torch.manual_seed(0)
y = torch.randn(256, 8)
views = (y, y + 0.1), (y, y + 0.1)
name, leak = sys.argv[1], "leak" in sys.argv
method, data = {{
    "simclr": lambda: (methods.simclr(Net(8, 16, (16,)), 16), views),
    "moco": lambda: (methods.moco(Net(8, 16, (16,)), 16, memory=256), (y, y + 0.1)),
    "persistent_cd": lambda: (
        methods.persistent_cd(MLP(8, hidden=(16,)), y.clone(), Langevin(0.01), steps=2),
        (None, y),
    ),
    "kmeans": lambda: (methods.kmeans(y[:8].clone()), (None, y)),
}}[name]()
kept, seen = [], {{}}

def measured():
    gc.collect()
    # What is free already goes back, or the allocator's own reserve would count.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(open("/proc/self/statm").read().split()[1])
    tensors = sum(isinstance(each, torch.Tensor) for each in gc.get_objects())
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, tensors

def after(step):
    if leak:
        kept.append(torch.zeros(256))
    if step in ({LEAST}, {MOST}):
        seen[step] = measured()
    return False

fit(
    method, data, steps={MOST}, batch_size=32, rng=torch.Generator().manual_seed(0),
    record=Recording(every=100, progress=False, after=after),
)
print(*seen[{LEAST}], *seen[{MOST}])
"""


def grown(*arguments: str) -> tuple[float, int]:
    """By how many MB, and by how many tensors, a process grows between the two steps."""
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    before, count, later, last = map(float, run.stdout.split())
    return later - before, int(last - count)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize("method", ["simclr", "moco", "persistent_cd", "kmeans"])
def test_memory_after_5000_steps_is_that_after_500(method):
    megabytes, tensors = grown(method)
    assert megabytes < 1
    assert tensors <= 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_kilobyte_a_step_would_be_seen():
    megabytes, tensors = grown("kmeans", "leak")
    assert megabytes > 1
    assert tensors > 4000
