"""Blocks of steps behind one replay: buffers and refusals on a CPU, CUDA graphs on a GPU."""

from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from problems import generator
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.kernels import graphs
from ebmlab.kernels.graphs import GraphedBlock
from ebmlab.samplers import MALA, Langevin
from ebmlab.samplers.fused import FusedLangevin
from ebmlab.types import Potential, State


class Nested(NamedTuple):
    place: tuple[Tensor, Tensor]
    count: Tensor


def rerun(body, rng):
    """What a graph does, by calling the body: static outputs, filled anew by each replay."""
    before = rng.get_state()
    out = body()
    rng.set_state(before)

    def play():
        for (_, fixed), (_, new) in zip(graphs._leaves(out), graphs._leaves(body()), strict=True):
            fixed.copy_(new)

    return out, play


def nested(shift: float = 0.0) -> Nested:
    return Nested((torch.zeros(3) + shift, torch.ones(2)), torch.zeros((), dtype=torch.long))


def walk(rng):
    def step(state: Nested) -> Nested:
        a, b = state.place
        return Nested((a + torch.randn(a.shape, generator=rng), 0.5 * b), state.count + 1)

    return step


def block_of(steps: int, rng, record=rerun) -> GraphedBlock:
    return GraphedBlock(walk(rng), nested(), rng, steps, record)


@pytest.mark.parametrize("steps", [1, 7])
def test_a_replay_is_that_many_steps_with_the_caller_s_numbers(steps):
    ours, theirs = generator(1), generator(1)
    block, step = block_of(steps, ours), walk(theirs)
    got, due = nested(5.0), nested(5.0)
    for _ in range(3):
        got = block.replay(got)
        for _ in range(steps):
            due = step(due)
    assert isinstance(got, Nested)
    assert torch.equal(got.place[0], due.place[0])
    assert torch.equal(got.place[1], due.place[1])
    assert int(got.count) == 3 * steps
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_a_result_stays_what_it_was_when_the_block_is_replayed():
    rng = generator(1)
    block, start = block_of(2, rng), nested(1.0)
    first = block.replay(start)
    kept = first.place[0].clone()
    second = block.replay(first)
    assert torch.equal(first.place[0], kept)
    assert not torch.equal(second.place[0], kept)
    assert torch.equal(start.place[0], torch.ones(3))
    start.place[0].add_(7)
    assert torch.equal(block.replay(second).count, torch.tensor(6))


def test_a_block_that_forgets_to_fill_its_entry_would_be_seen(monkeypatch):
    monkeypatch.setattr(graphs, "_filled", lambda fixed, given: fixed)
    got = block_of(1, generator(1)).replay(nested(5.0))
    assert got.place[0].mean() < 3


def test_plain_tuples_stay_plain_and_views_are_read():
    block = GraphedBlock(lambda s: (s[0] + 1,), (torch.zeros(2, 3),), generator(), 4, rerun)
    got = block.replay((torch.ones(3, 2, requires_grad=True).mT,))
    assert type(got) is tuple
    assert torch.equal(got[0], torch.full((2, 3), 5.0))
    assert not got[0].requires_grad


def test_a_state_unlike_the_example_is_refused():
    block = block_of(1, generator())
    a, b = nested().place
    count = nested().count
    with pytest.raises(
        ShapeError, match=r"state\[0\]\[0\] has shape \(4,\), the example\[0\]\[0\] \(3,\)"
    ):
        block.replay(Nested((torch.zeros(4), b), count))
    with pytest.raises(DtypeError, match=r"state\[1\] is torch\.float32"):
        block.replay(Nested((a, b), count.float()))
    with pytest.raises(DeviceError, match=r"state\[0\]\[1\] is on meta"):
        block.replay(Nested((a, b.to("meta")), count))
    with pytest.raises(ShapeError, match=r"holds tensors at"):
        block.replay((a, b, count))


def test_a_step_that_changes_the_shape_of_its_state_is_refused():
    with pytest.raises(ShapeError, match=r"what step returns\[0\] has shape \(2, 1\)"):
        GraphedBlock(lambda s: (s[0][:, None],), (torch.zeros(2),), generator(), 1, rerun)
    with pytest.raises(ConfigurationError, match="steps is 0"):
        block_of(0, generator())


def test_cpu_tensors_are_refused_where_a_graph_is_to_be_captured():
    with pytest.raises(DeviceError, match=r"state\[0\]\[0\] is on cpu"):
        block_of(1, generator(), record=None)
    meta = Nested((torch.zeros(3, device="meta"),) * 2, torch.zeros((), device="meta"))
    with pytest.raises(DeviceError, match="is on meta"):
        GraphedBlock(lambda s: s, meta, generator(), 1)


class Recording:
    """Streams and graphs that only write down what is asked of them."""

    def __init__(self):
        self.log = []

    def wait_stream(self, other):
        self.log.append("wait")

    def register_generator_state(self, rng):
        self.log.append("register")

    def replay(self):
        self.log.append("replay")

    def entering(self, name):
        @contextmanager
        def context(*_, **__):
            self.log.append(name)
            yield
            self.log.append(f"end of {name}")

        return context


def test_a_capture_follows_warm_ups_that_cost_no_random_numbers(monkeypatch):
    told = Recording()
    for name in ("Stream", "current_stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: told)
    monkeypatch.setattr(torch.cuda, "stream", told.entering("side stream"))
    monkeypatch.setattr(torch.cuda, "graph", told.entering("capture"))
    rng = generator(1)

    def body() -> Tensor:
        told.log.append("body")
        return torch.rand(3, generator=rng)

    out, play = graphs.record_cuda(body, rng)
    play()
    assert torch.equal(out, torch.rand(3, generator=generator(1)))
    warm = ["wait", "side stream", *["body"] * graphs.WARM_UP, "end of side stream", "wait"]
    assert told.log == [*warm, "register", "capture", "body", "end of capture", "replay"]


KERNELS = {"langevin": Langevin(0.1), "mala": MALA(0.5), "fused langevin": FusedLangevin(0.1)}


def transitions(kernel, device):
    """A step of a kernel with its generator, and a state to start from."""
    rng = torch.Generator(device).manual_seed(3)
    u = Potential(lambda y: bowl(y) + y.cos().sum(1))
    start = torch.randn(500, 4, generator=generator(2)).to(device)
    return lambda state: kernel.step(u, state, rng)[0], rng, kernel.init(u, start, rng)


@pytest.mark.parametrize("name", KERNELS)
def test_blocks_of_kernels_are_their_steps(name):
    judge_blocks(KERNELS[name], "cpu", rerun)


@pytest.mark.cuda
@pytest.mark.parametrize("name", KERNELS)
def test_cuda_graphs_replay_steps_bit_for_bit(name):
    judge_blocks(KERNELS[name], "cuda", None)


def judge_blocks(kernel, device, record):
    step, ours, state = transitions(kernel, device)
    block = GraphedBlock(step, state, ours, 5, record)
    eager, theirs, due = transitions(kernel, device)
    assert torch.equal(ours.get_state(), theirs.get_state())
    got = state
    for _ in range(3):
        got = block.replay(got)
        for _ in range(5):
            due = eager(due)
    assert isinstance(got, State)
    assert all(map(torch.equal, got, due))
    assert not torch.equal(got.y, state.y)
    assert torch.equal(ours.get_state(), theirs.get_state())
    # The stream goes on: one eager step after the replays is the next of the sequence.
    assert torch.equal(step(got).y, eager(due).y)
