"""A function behind one replay: buffers and refusals on a CPU, CUDA graphs on a GPU."""

from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from stand_ins import rerun
from torch import Tensor

from ebmlab.errors import DeviceError, DtypeError, ShapeError
from ebmlab.kernels import graphs
from ebmlab.kernels.graphs import Graphed


class Nested(NamedTuple):
    place: tuple[Tensor, Tensor]
    count: Tensor


def nested(shift: float = 0.0) -> Nested:
    return Nested((torch.zeros(3) + shift, torch.ones(2)), torch.zeros((), dtype=torch.long))


def walk(state: Nested) -> Nested:
    a, b = state.place
    return Nested((a.cos() + b.sum(), 0.5 * b), state.count + 1)


def test_a_replay_is_a_call_and_results_stay_what_they_were():
    block, start = Graphed(walk, nested(), rerun), nested(5.0)
    first = block(start)
    assert isinstance(first, Nested)
    assert torch.equal(first.place[0], walk(start).place[0])
    kept = first.place[0].clone()
    second = block(first)
    assert torch.equal(second.place[0], walk(first).place[0])
    assert torch.equal(first.place[0], kept)
    assert torch.equal(start.place[0], torch.full((3,), 5.0))
    start.place[0].add_(7)
    assert torch.equal(block(second).count, torch.tensor(3))


def test_a_block_that_forgets_to_fill_its_entry_would_be_seen(monkeypatch):
    monkeypatch.setattr(graphs, "_filled", lambda fixed, given: fixed)
    got = Graphed(walk, nested(), rerun)(nested(5.0))
    assert not torch.equal(got.place[0], walk(nested(5.0)).place[0])


def test_plain_tuples_stay_plain_and_views_are_read():
    block = Graphed(lambda s: (s[0] + 1,), (torch.zeros(2, 3),), rerun)
    got = block((torch.ones(3, 2, requires_grad=True).mT,))
    assert type(got) is tuple
    assert torch.equal(got[0], torch.full((2, 3), 2.0))
    assert not got[0].requires_grad


def test_inputs_unlike_the_example_are_refused():
    block = Graphed(walk, nested(), rerun)
    a, b = nested().place
    count = nested().count
    with pytest.raises(
        ShapeError, match=r"inputs\[0\]\[0\] has shape \(4,\), the example\[0\]\[0\] \(3,\)"
    ):
        block(Nested((torch.zeros(4), b), count))
    with pytest.raises(DtypeError, match=r"inputs\[1\] is torch\.float32"):
        block(Nested((a, b), count.float()))
    with pytest.raises(DeviceError, match=r"inputs\[0\]\[1\] is on meta"):
        block(Nested((a, b.to("meta")), count))
    with pytest.raises(ShapeError, match=r"holds tensors at"):
        block((a, b, count))


def test_cpu_tensors_are_refused_where_a_graph_is_to_be_captured():
    with pytest.raises(DeviceError, match=r"inputs\[0\]\[0\] is on cpu"):
        Graphed(walk, nested())


class Recording:
    """Streams and graphs that only write down what is asked of them."""

    def __init__(self):
        self.log = []

    def wait_stream(self, other):
        self.log.append("wait")

    def replay(self):
        self.log.append("replay")

    def entering(self, name):
        @contextmanager
        def context(*_, **__):
            self.log.append(name)
            yield
            self.log.append(f"end of {name}")

        return context


def test_a_capture_follows_warm_ups(monkeypatch):
    told = Recording()
    for name in ("Stream", "current_stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: told)
    monkeypatch.setattr(torch.cuda, "stream", told.entering("side stream"))
    monkeypatch.setattr(torch.cuda, "graph", told.entering("capture"))

    def body() -> Tensor:
        told.log.append("body")
        return torch.ones(3)

    out, play = graphs.record_cuda(body, torch.device("cpu"))
    play()
    assert torch.equal(out, torch.ones(3))
    warm = ["wait", "side stream", *["body"] * graphs.WARM_UP, "end of side stream", "wait"]
    assert told.log == [*warm, "capture", "body", "end of capture", "replay"]


@pytest.mark.cuda
def test_a_cuda_graph_is_the_function():
    def chain(state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        a, b = state
        for _ in range(20):
            a = a.cos() @ b
        return a, b + 1

    start = torch.randn(8, 8, device="cuda"), torch.randn(8, 8, device="cuda")
    block = Graphed(chain, start)
    other = tuple(2 * part for part in start)
    assert all(map(torch.equal, block(other), chain(other)))
