"""A function captured in one CUDA graph, whose every replay is one launch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmlab._rows import mapped
from ebmlab.errors import DeviceError, ShapeError
from ebmlab.kernels._fits import require_alike

__all__ = ["Graphed", "Recorder", "record_cuda"]

# The body returns tensors; the second callable fills those same tensors anew.
Recorder = Callable[[Callable[[], Any], torch.device], tuple[Any, Callable[[], None]]]
WARM_UP = 3


class Graphed:
    """A function of a tree of tensors as one CUDA graph: one launch instead of hundreds.

    Args:
        function: a pure function of CUDA tensors, without host syncs and of the same shapes at
            each call, to a tree of tensors. What else it reads, such as parameters, is read where
            it lies: change it in place, and never replace it.
        example: a tree of tensors to call it with: (named) tuples in tuples. Only shapes, types
            and devices are kept, but the values must be ones that the function takes.
        record: how a body is recorded; a CUDA graph by default.

    Raises:
        DeviceError: the example is not on a CUDA device.
        ShapeError, DtypeError, DeviceError: what it is called with differs from the example.

    Example:
        >>> def record(body, device):
        ...     out = body()
        ...     return out, lambda: [a.copy_(b) for a, b in zip(out, body(), strict=True)]
        >>> block = Graphed(lambda tree: (tree[0] + 4,), (torch.zeros(1),), record)
        >>> block((torch.ones(1),))
        (tensor([5.]),)
    """

    def __init__(
        self, function: Callable[[Any], Any], example: Any, record: Recorder | None = None
    ) -> None:
        if record is None:
            require_cuda(example)
            record = record_cuda
        self._entry = mapped(_copied, example)
        device = _leaves(self._entry)[0][1].device
        self._exit, self._play = record(lambda: function(self._entry), device)

    def __call__(self, inputs: Any) -> Any:
        """What the function returns, in tensors of its own; the inputs are not changed."""
        require_like("inputs", inputs, self._entry)
        mapped(_filled, self._entry, inputs)
        self._play()
        return mapped(_copied, self._exit)


def record_cuda(body: Callable[[], Any], device: torch.device) -> tuple[Any, Callable[[], None]]:
    """Capture a body as a CUDA graph; returns its static outputs and what replays it."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    # Libraries allocate and kernels compile at first calls, which must not happen in a capture.
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            body()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        out = body()
    return out, graph.replay


def require_cuda(tree: Any) -> None:
    """Raise unless all tensors of a tree are on a CUDA device."""
    for path, leaf in _leaves(tree):
        if leaf.device.type != "cuda":
            raise DeviceError(
                f"inputs{path} is on {leaf.device}; a CUDA graph holds CUDA tensors only: move it "
                "there, or call the function itself"
            )


def require_like(name: str, tree: Any, like: Any) -> None:
    """Raise unless a tree has the structure, shapes, types and devices of another."""
    got, due = dict(_leaves(tree)), dict(_leaves(like))
    if got.keys() != due.keys():
        raise ShapeError(f"{name} holds tensors at {[*got]}, expected {[*due]}")
    for path, leaf in got.items():
        require_alike(f"{name}{path}", leaf, f"the example{path}", due[path])


def _leaves(tree: Any, path: str = "") -> list[tuple[str, Tensor]]:
    """The tensors of nested tuples, each with its path."""
    if isinstance(tree, Tensor):
        return [(path, tree)]
    return [leaf for i, part in enumerate(tree) for leaf in _leaves(part, f"{path}[{i}]")]


def _copied(t: Tensor) -> Tensor:
    return t.detach().clone()


def _filled(fixed: Tensor, given: Tensor) -> Tensor:
    return fixed.copy_(given.detach())
