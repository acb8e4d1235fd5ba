"""What stands in for a CUDA device on the CPU: graphs that call their body, launches counted."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import Tensor

from ebmlab._tracing import traced, tracing
from ebmlab.kernels import graphs, lowering, update
from ebmlab.kernels import programs as made
from ebmlab.samplers._run import cuda
from ebmlab.samplers._steps import source


def rerun(body, device):
    """What a graph does, by calling the body: static outputs, filled anew by each replay."""
    out = body()

    def play():
        for (_, fixed), (_, new) in zip(graphs._leaves(out), graphs._leaves(body()), strict=True):
            fixed.copy_(new)

    return out, play


def _as_traced(function, *inputs):
    with traced():
        return function(*inputs)


def _counting(launched, name, function):
    def call(*args, **options):
        launched[name] += 1
        return function(*args, **options)

    return call


def _recording(launched):
    def record(body, device):
        launched["captures"] += 1
        out, play = rerun(body, device)
        return out, _counting(launched, "graphs", play)

    return record


def _runs_fused(y: Tensor) -> bool:
    return y.dtype == torch.float32 and not tracing()


@contextmanager
def cuda_on_the_cpu(*, programs: bool = False) -> Iterator[Counter]:
    """CPU tensors count as CUDA's: Triton's interpreter runs kernels, and graphs are rerun.

    Counts what would be launched: chains, updates, graphs; and captures. Programs run as they are
    while they are traced, or, where asked for, are traced and counted, and run by plain
    operations. Skips the test where a GPU is: Triton's interpreter is off there.
    """
    if torch.cuda.is_available():
        pytest.skip("a GPU is here, and needs no stand-in")
    from ebmlab.kernels import update_triton

    launched: Counter[str] = Counter()
    new = {
        (cuda, "_on_device"): lambda y: True,
        (cuda, "_CHAINS"): {},
        (cuda, "_GRAPHS"): OrderedDict(),
        (cuda, "langevin_chain"): _counting(launched, "chains", cuda.langevin_chain),
        (graphs, "record_cuda"): _recording(launched),
        (graphs, "require_cuda"): lambda tree: None,
        (update_triton, "langevin"): _counting(launched, "updates", update_triton.langevin),
        (made, "_MADE"): OrderedDict(),
        (lowering, "lower"): _counting(launched, "programs", lambda graph, _: graph.forward),
        **{(module, "runs_fused"): _runs_fused for module in (cuda, source, update)},
    }
    if not programs:
        new |= {(cuda, "Program"): lambda function, held: partial(_as_traced, function, held)}
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), stand_in in new.items():
            patch.setattr(module, name, stand_in)
        yield launched
