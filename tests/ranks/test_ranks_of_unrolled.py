"""Second derivatives through unrolled steps on two ranks under DDP are those of one process."""

import torch
from ranks_support import RANKS, on_two_ranks
from torch.nn.parallel import DistributedDataParallel

from ebmlab.energies import MLP
from ebmlab.inference import FixedSteps
from ebmlab.objectives import Answers, Unrolled
from ebmlab.protocols import Method

N, STEPS = 8, 2
X, Y, START = (
    torch.randn(N, 2, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
    for k in range(3)
)


def method(start):
    """Descents from starts that are given, at one step size, which every rank can repeat."""
    torch.manual_seed(0)
    objective = Unrolled(
        FixedSteps(0.5),
        start=lambda y, rng: start,
        thoughts=(3, 3),
        spread=1.0,
        answers=Answers(100, 2, share=1.0),
    )
    return Method(MLP(2, 2, hidden=(6,)), objective).double()


def trained(module, x, y):
    """The gradients of each of a few steps, the second of which goes on from answers."""
    parameters = [p for name, p in module.named_parameters() if not name.endswith("2.bias")]
    found = []
    for _ in range(STEPS):
        module.zero_grad()
        loss = module(x, y, torch.Generator())
        loss.value.backward()
        found.append([p.grad.clone() for p in parameters])
        for p in parameters:
            p.data -= 0.1 * p.grad
        loss.commit()
    return found, loss.metrics["recalled"]


def on_rank(rank):
    x, y, start = (t.chunk(RANKS)[rank] for t in (X, Y, START))
    how = {"broadcast_buffers": False, "find_unused_parameters": True}
    return trained(DistributedDataParallel(method(start), **how), x, y)


def test_two_ranks_are_one_process():
    alone, recalled = trained(method(START), X, Y)
    half, _ = trained(method(START[:4]), X[:4], Y[:4])
    for rank, told in on_two_ranks(on_rank):
        torch.testing.assert_close(rank, alone)
        assert told == recalled == 1
    assert not torch.allclose(half[0][0], alone[0][0])
