"""What is touched of torch's private modules, and the versions of torch that it holds for."""

import warnings
from pathlib import Path

import pytest
import torch
from problems import f64, randn
from torch import Tensor, nn

import ebmlab
from ebmlab._tracing import traced
from ebmlab.kernels import lowering

# Where torch is newer: run this file and test_compiled_runs.py, and add the version if they pass.
KNOWN = ("2.13",)


def test_the_version_of_torch_is_known():
    assert torch.__version__.startswith(KNOWN)


def test_no_other_file_touches_private_modules():
    root = Path(ebmlab.__file__).parent
    private = (
        "torch._inductor",
        "torch._guards",
        "torch._subclasses",
        "torch._higher_order",
        "make_fx",
    )
    touching = {
        path.name
        for path in root.rglob("*.py")
        if any(name in path.read_text() for name in private)
    }
    assert touching == {"lowering.py"}


def placeholders(graph) -> int:
    return sum(node.op == "placeholder" for node in graph.graph.nodes)


def test_a_graph_takes_what_it_met_as_inputs():
    layer, shift = nn.Linear(3, 2).double(), randn(2)

    def function(y: Tensor) -> list[Tensor]:
        return [layer(y) + shift, shift * shift]

    graph, met = lowering.trace(function, [randn(5, 3)])
    assert placeholders(graph) == 1 + 3
    assert {id(t) for t in met} == {id(t) for t in (*layer.parameters(), shift)}
    other, y = [t.detach() + 1 for t in met], randn(5, 3, seed=1)
    held = {id(t): new for t, new in zip(met, other, strict=True)}
    weight, bias, moved = (held[id(t)] for t in (layer.weight, layer.bias, shift))
    torch.testing.assert_close(
        [*graph.forward(y, *other)], [y @ weight.mT + bias + moved, moved * moved]
    )


def test_gradients_inside_are_operations_of_the_graph():
    def slope(y: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            y = y.detach().requires_grad_()
            return [*torch.autograd.grad(y.pow(3).sum(), y)]

    with torch.no_grad():
        graph, met = lowering.trace(slope, [randn(4)])
    assert not met
    y = randn(4, seed=2)
    torch.testing.assert_close(graph.forward(y)[0], 3 * y * y)


@pytest.mark.parametrize(
    "function",
    [lambda y: [y if bool(y.sum() > 0) else -y], lambda y: [y * float(y[0])]],
    ids=["a branch on a value", "a value"],
)
def test_whoever_asks_for_values_raises(function):
    with pytest.raises(Exception, match=r"(?i)data.dependent|item|fake|symbol"):
        lowering.trace(function, [randn(3)])


def test_a_loop_is_an_operation_whose_tensors_are_inputs_too():
    factor = f64(0.5)

    def halved(y: Tensor, limit: Tensor) -> list[Tensor]:
        def going(k: Tensor, value: Tensor) -> Tensor:
            return k < 3

        def body(k: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
            return k + 1, value * factor

        return [*lowering.looped(going, body, (torch.zeros((), dtype=torch.int64), y))]

    with torch.no_grad():
        graph, met = lowering.trace(halved, [randn(4), f64(1.0)])
    assert any(t is factor for t in met)
    called = [str(n.target) for n in graph.graph.nodes if n.op == "call_function"]
    assert sum("while_loop" in name for name in called) == 1
    y = randn(4, seed=3)
    values = [f64(0.25) if t is factor else t for t in met]
    torch.testing.assert_close(graph.forward(y, f64(1.0), *values)[1], y / 64)


def test_what_is_stored_is_the_same_and_one_operation_of_a_program():
    y = randn(4)
    assert lowering.stored(y) is y

    def twice(y: Tensor) -> list[Tensor]:
        with traced():
            kept = lowering.stored(y.cos())
        return [kept + 1, kept.sin()]

    with warnings.catch_warnings(action="ignore"):  # the compiler warns of itself
        graph, _ = lowering.trace(twice, [y])
        program = lowering.lower(graph, [y])
    for call in (graph.forward, program):
        torch.testing.assert_close([*call(y)], [y.cos() + 1, y.cos().sin()])
    assert any("realize" in str(n.target) for n in graph.graph.nodes)
