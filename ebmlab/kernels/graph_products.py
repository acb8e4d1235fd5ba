"""Matrix products in graphs of operations, as they are fastest on the CPU."""

from typing import Any, cast

import torch
from torch import fx

__all__ = ["LIKE", "with_fast_products"]

# Where a node that is no operation says what it is like.
LIKE = "like"

# From so many multiplications on oneDNN's call is worth its cost; up to so many columns MKL is
# slow unless a column's numbers lie side by side.
LARGE, NARROW = 2**20, 8


def with_fast_products(graph: fx.GraphModule, linear: Any) -> None:
    """Let the products of a graph's float32 matrices on the CPU be as fast as they can be.

    Large ones are `linear`'s, x wᵀ + b by oneDNN, which has AVX-512 on any processor that has it;
    MKL only on some. Narrow ones get a second matrix whose columns lie in one piece. What has one
    term for each entry is multiplied out, which the compiler fuses with what follows.
    """
    for part in graph.children():
        if isinstance(part, fx.GraphModule):  # of a loop
            with_fast_products(part, linear)
    laid: dict[tuple[fx.Node, bool], fx.Node] = {}
    aten, call = torch.ops.aten, graph.graph.call_function
    for node in [*graph.graph.nodes]:
        if node.target not in (aten.mm.default, aten.addmm.default) or not _plain(node):
            continue
        *bias, a, b = cast(tuple[fx.Node, ...], node.args)
        terms, out = _like(a).shape[1], _like(node)
        with graph.graph.inserting_before(node):
            if terms == 1:
                made = call(aten.mul.Tensor, (a, b))
                made = call(aten.add.Tensor, (made, *bias)) if bias else made
            elif out.numel() * terms >= LARGE:
                made = call(linear, (a, _transposed(b, laid), *(bias or [None])))
            elif out.shape[1] <= NARROW:
                turned = call(aten.t.default, (_transposed(b, laid),))
                made = call(node.target, (*bias, a, turned))
            else:
                continue
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        graph.graph.erase_node(node)
    graph.recompile()


def _plain(node: fx.Node) -> bool:
    """Whether this is a product of float32 on the CPU, with no more than a bias (columns,)."""
    parts = [*map(_like, cast(tuple[fx.Node, ...], node.args))]
    *bias, a, _ = parts
    return (
        all(part is not None for part in parts)
        and a.is_cpu
        and a.dtype == torch.float32
        and not node.kwargs
        and all(c.ndim == 1 for c in bias)
    )


def _like(node: fx.Node) -> Any:
    return node.meta.get("val", node.meta.get(LIKE))


def _transposed(b: fx.Node, laid: dict[tuple[fx.Node, bool], fx.Node]) -> fx.Node:
    """bᵀ, contiguous, once for all products that take it."""
    odd = True
    while b.target is torch.ops.aten.t.default:
        b, odd = cast(fx.Node, b.args[0]), not odd
    if not odd and _like(b).is_contiguous():
        return b
    if (b, odd) not in laid:
        made = b.graph.call_function(torch.ops.aten.t.default, (b,)) if odd else b
        form: dict[str, Any] = {"memory_format": torch.contiguous_format}
        laid[b, odd] = b.graph.call_function(torch.ops.aten.clone.default, (made,), form)
    return laid[b, odd]
