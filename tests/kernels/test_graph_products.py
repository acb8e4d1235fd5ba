"""Products in graphs: the same values, each taken by what is fastest for its shape."""

import warnings

import pytest
import torch
from torch import Tensor

from ebmlab.kernels import graph_products, lowering


def normal(*shape: int, seed: int = 0, dtype=torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    assert w.is_contiguous()
    made = x @ w.T
    return made if b is None else made + b


def changed(function, *leaves: Tensor) -> tuple:
    """What a graph gives before and after, and what it calls then."""
    with torch.no_grad():
        graph, met = lowering.trace(function, [*leaves])
        before = graph.forward(*leaves, *met)
        graph_products.with_fast_products(graph, linear)
        after = graph.forward(*leaves, *met)
    return before, after, [n.target for n in graph.graph.nodes if n.op == "call_function"]


ATEN = torch.ops.aten
SHAPES = {
    "large": ((1000, 128), (128, 128), linear),
    "narrow": ((1000, 64), (64, 2), ATEN.mm.default),
    "one term": ((1000, 1), (1, 128), ATEN.mul.Tensor),
    "small": ((10, 12), (12, 20), ATEN.mm.default),
    "no rows": ((0, 12), (12, 20), ATEN.mm.default),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_values_stay_and_each_shape_has_its_way(name, biased, turned):
    left, right, target = SHAPES[name]
    x, w, b = normal(*left), normal(*right, seed=1), normal(right[1], seed=2)
    held = w.T.contiguous() if turned else w

    def function(x: Tensor) -> list[Tensor]:
        matrix = held.t() if turned else held
        return [torch.addmm(b, x, matrix) if biased else torch.mm(x, matrix)]

    before, after, calls = changed(function, x)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-4)
    due = ATEN.addmm.default if biased and target is ATEN.mm.default else target
    assert due in calls
    assert (ATEN.clone.default in calls) == (name in ("large", "narrow") and not turned)


def test_a_matrix_of_several_products_is_laid_out_once_each_way():
    w = normal(128, 128, seed=1)

    def function(x: Tensor) -> list[Tensor]:
        for _ in range(3):
            x = torch.mm(torch.mm(x, w.t()), w)
        return [x]

    before, after, calls = changed(function, normal(1000, 128) / 100)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-2)
    assert calls.count(linear) == 6
    assert calls.count(ATEN.clone.default) == 1


def test_loops_have_fast_products_too():
    w = normal(128, 128, seed=1) / 100

    def function(x: Tensor) -> list[Tensor]:
        def going(k: Tensor, x: Tensor, w: Tensor) -> Tensor:
            return k < 3

        def body(k: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
            return k + 1, torch.mm(x, w)

        return [*lowering.looped(going, body, (torch.zeros((), dtype=torch.int64), x), (w,))]

    with torch.no_grad():
        graph, met = lowering.trace(function, [normal(1000, 128)])
        before = graph.forward(normal(1000, 128), *met)
        graph_products.with_fast_products(graph, linear)
        after = graph.forward(normal(1000, 128), *met)
    torch.testing.assert_close(after, before)
    parts = [part for part in graph.children() if isinstance(part, torch.fx.GraphModule)]
    assert any(n.target is linear for part in parts for n in part.graph.nodes)


def test_other_precisions_are_left_alone():
    w = normal(128, 128, seed=1, dtype=torch.float64)
    leaf = normal(1000, 128, dtype=torch.float64)
    before, after, calls = changed(lambda x: [torch.mm(x, w)], leaf)
    assert torch.equal(after[0], before[0])
    assert calls == [ATEN.mm.default]


def test_the_compiler_s_own_product_is_the_product():
    x, w, b = normal(300, 40), normal(50, 40, seed=1), normal(50, seed=2)
    product = lowering._onednn()
    for bias in (None, b):
        torch.testing.assert_close(product(x, w, bias), linear(x, w, bias))
    with warnings.catch_warnings(action="ignore"):  # the compiler warns of itself
        leaves = [normal(500, 64), normal(64, 64)]
        graph, _ = lowering.trace(lambda x, w: [torch.mm(x, w.t()).cos()], leaves)
        program = lowering.lower(graph, leaves)
    x, w = normal(500, 64, seed=3), normal(64, 64, seed=4)
    torch.testing.assert_close(program(x, w)[0], (x @ w.T).cos(), rtol=1e-4, atol=1e-4)
