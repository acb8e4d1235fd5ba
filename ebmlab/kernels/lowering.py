"""Graphs of operations, and the compiler: all that is touched of torch's private modules.

`tests/kernels/test_lowering.py` names the versions of torch that this is known to hold for.
"""

import functools
import importlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, fx, library

from ebmlab._tracing import tracing as unknown
from ebmlab.kernels.graph_products import LIKE, with_fast_products

__all__ = ["looped", "lower", "stored", "trace"]

# A wrapper in C++ spares microseconds per call, but does not know every operation.
_OPTIONS: tuple[dict[str, Any], ...] = ({"cpp_wrapper": True}, {})

Met = dict[int, Tensor]


def trace(function: Callable[..., list[Tensor]], leaves: list[Tensor]) -> tuple[Any, list[Tensor]]:
    """The operations of a function of tensors, and the tensors it met that are not its leaves.

    The graph takes the leaves, then those that were met. Python runs as always, but no tensor has
    values: whatever asks for one raises, and so do random numbers of torch's own.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    # Leaves that are one tensor now, or one that is held, need not be so at the next call.
    apart = [leaf.detach() for leaf in leaves]
    graph = make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*apart)
    for node in graph.graph.nodes:
        tags = getattr(node.target, "tags", ())
        if torch.Tag.nondeterministic_seeded in tags or torch.Tag.data_dependent_output in tags:
            raise ValueError(f"{node.target} draws random numbers or asks for a tensor's value")
    met: Met = {}
    for node, leaf in zip(graph.graph.nodes, leaves, strict=False):
        node.meta[LIKE] = leaf
    for loop in [node for node in graph.graph.nodes if node.target is _while_loop()]:
        _open(graph, loop)
    _gather(graph, met)
    _lift(graph, met)
    graph.graph.eliminate_dead_code()
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            # The compiler takes these for its inputs where one is there, and then needs them all.
            node.meta.pop("val", None)
    graph.recompile()
    return graph, [*met.values()]


def _gather(graph: fx.GraphModule, met: Met) -> None:
    """The tensors that a graph holds."""
    for node in graph.graph.nodes:
        held = getattr(graph, node.target) if node.op == "get_attr" else None
        if isinstance(held, Tensor):
            met[id(held)] = held


def _lift(graph: fx.GraphModule, met: Met) -> None:
    """Make them inputs, behind those that the graph has."""
    last = [node for node in graph.graph.nodes if node.op == "placeholder"][-1]
    inputs: dict[int, fx.Node] = {}
    for key in met:
        with graph.graph.inserting_after(last):
            inputs[key] = last = graph.graph.placeholder(f"met_{len(inputs)}")
    for node in [node for node in graph.graph.nodes if node.op == "get_attr"]:
        held = getattr(graph, cast(str, node.target))
        if isinstance(held, Tensor):
            inputs[id(held)].meta = {**node.meta, LIKE: held}
            node.replace_all_uses_with(inputs[id(held)])
            graph.graph.erase_node(node)
    for name in [name for name, held in _tensors(graph) if id(held) in inputs]:
        delattr(graph, name)


def _tensors(graph: fx.GraphModule) -> list[tuple[str, Tensor]]:
    return [*graph.named_parameters(recurse=False), *graph.named_buffers(recurse=False)]


def _open(graph: fx.GraphModule, loop: fx.Node) -> None:
    """Let a loop hand the tensors that its two graphs hold to both, from the graph around it."""
    *names, carried, more = cast(tuple[fx.Node, fx.Node, tuple, tuple], loop.args)
    parts = [getattr(graph, cast(str, name.target)) for name in names]
    met: Met = {}
    for part in parts:
        _gather(part, met)
    for part in parts:
        _lift(part, met)
        part.recompile()
    with graph.graph.inserting_before(loop):
        given = []
        for key, held in met.items():
            name = f"_held_{key}"
            graph.register_buffer(name, held)
            given.append(graph.graph.get_attr(name))
    loop.args = (*names, carried, (*more, *given))


def looped(
    going: Callable[..., Tensor],
    body: Callable[..., tuple[Tensor, ...]],
    carried: tuple[Tensor, ...],
    given: tuple[Tensor, ...] = (),
) -> tuple[Tensor, ...]:
    """While going(*carried, *given): carried = body(*carried, *given); a loop of the program.

    Only while a program is traced. Traced tensors that the loop needs stand in `carried` or in
    `given`; others may be closed over.
    """
    # Below autograd a body could ask for no gradient.
    keys = torch._C._dispatch_tls_local_include_set(), torch._C._dispatch_tls_local_exclude_set()

    def turn(*parts: Tensor) -> tuple[Tensor, ...]:
        with torch._C._ForceDispatchKeyGuard(*keys):
            return body(*parts)

    return _while_loop()(going, turn, carried, given)


def stored(t: Tensor) -> Tensor:
    """The same numbers, which a program computes once, in t's own layout, however often it reads.

    Else the compiler may compute them anew for each reader, or store them the way that the first
    of them was shaped.
    """
    return _realize()(t) if unknown() else t


@functools.cache
def _realize() -> Any:
    importlib.import_module("torch._inductor.test_operators")
    return torch.ops._inductor_test.realize


def _while_loop() -> Any:
    return importlib.import_module("torch._higher_order_ops.while_loop").while_loop_op


@functools.cache
def _onednn() -> Any:
    """x wᵀ + b by oneDNN, an operation that the compiler knows."""
    with warnings.catch_warnings(action="ignore"):  # torch's own deprecations
        lowering = importlib.import_module("torch._inductor.lowering")
        onednn = importlib.import_module("torch._inductor.mkldnn_ir")
        box = importlib.import_module("torch._inductor.ir").TensorBox

    @library.custom_op("ebmlab::product", mutates_args=())
    def product(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, w, b, "none", [], "")

    @product.register_fake
    def _(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return x.new_empty(x.shape[0], w.shape[0])

    operation = torch.ops.ebmlab.product.default

    @lowering.register_lowering(operation, type_promotion_kind=None)
    def _(x: Any, w: Any, b: Any) -> Any:
        return box.create(onednn.LinearUnary.create(x, w, b, "none", [], ""))

    return operation


@contextmanager
def _quiet() -> Iterator[None]:
    """The compiler tells its log how it goes about an operation, which a caller cannot mend."""
    log = logging.getLogger("torch._inductor")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def lower(graph: Any, inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """What the compiler makes of a graph."""
    if torch.backends.mkldnn.is_available():
        with_fast_products(graph, _onednn())
    from torch._guards import TracingContext, tracing
    from torch._inductor.compile_fx import compile_fx
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    fault: Exception | None = None
    call: Any
    for patches in ({},) if any(t.is_cuda for t in inputs) else _OPTIONS:
        # A loop asks for the symbols that shapes could be made of, though none are.
        fake = FakeTensorMode(shape_env=ShapeEnv(), static_shapes=True)
        try:
            with tracing(TracingContext(fake)), _quiet():
                made = compile_fx(graph, list(inputs), config_patches=patches)
            call = cast(Callable[..., Any], made)
            call(*inputs)
        except Exception as reason:
            fault = reason
        else:
            return call
    assert fault is not None
    raise fault
