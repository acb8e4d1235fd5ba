"""Programs take every input for itself, whatever was one tensor when they were made."""

from collections import OrderedDict

import torch
from problems import f64
from torch import Tensor

from ebmlab.kernels import lowering, programs
from ebmlab.kernels.programs import Program


def difference(held: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return held * (a - 2 * b)


def test_inputs_that_are_one_tensor_at_first_are_two_later(monkeypatch):
    traces = []
    monkeypatch.setattr(lowering, "lower", lambda graph, _: traces.append(graph) or graph.forward)
    monkeypatch.setattr(programs, "_MADE", OrderedDict())
    one, other = f64([1.0, 2.0]), f64([3.0, 5.0])
    program = Program(difference, one)
    for a, b in ((one, one), (one, other), (other, one), (other, other)):
        assert torch.equal(program(a, b), one * (a - 2 * b))
    assert len(traces) == 1
