"""Several steps captured in one CUDA graph, replayed with the caller's random numbers."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._rows import mapped
from ebmlab.errors import DeviceError, ShapeError
from ebmlab.kernels.philox import require_alike

__all__ = ["GraphedBlock", "Recorder", "record_cuda"]

S = TypeVar("S", bound=tuple)

# The body returns tensors; the second callable fills those same tensors anew.
Recorder = Callable[[Callable[[], Any], torch.Generator], tuple[Any, Callable[[], None]]]

WARM_UP = 3


class GraphedBlock(Generic[S]):
    """K steps of a transition as one CUDA graph: one launch instead of hundreds.

    `replay(state)` is K calls of `step`, bit for bit: the generator is registered with the graph,
    so that each replay takes the next numbers of the caller's stream and leaves the generator
    where the K calls would. Making the block leaves it untouched.

    Args:
        step: state -> state, a pure function of CUDA tensors and of numbers from `generator`,
            without host syncs and of the same shapes at each call. What else it reads, such as
            parameters, is read where it lies: change it in place, and never replace it.
        example: a state, a (named) tuple of tensors or of such tuples; only its shapes, types and
            devices are kept, but its values must be ones to step from.
        generator: where the step's random numbers come from, on the tensors' device.
        steps: K >= 1.
        record: how a body is recorded; a CUDA graph by default.

    Raises:
        DeviceError: the example or the generator is not on a CUDA device.
        ShapeError, DtypeError, DeviceError: step does not return what it is given, or a replayed
            state differs from the example.

    Example:
        >>> step = lambda state: (state[0] + 1,)
        >>> def record(body, generator):
        ...     out = body()
        ...     return out, lambda: [a.copy_(b) for a, b in zip(out, body(), strict=True)]
        >>> block = GraphedBlock(step, (torch.zeros(1),), torch.Generator(), 4, record)
        >>> block.replay((torch.ones(1),))
        (tensor([5.]),)
    """

    def __init__(
        self,
        step: Callable[[S], S],
        example: S,
        generator: torch.Generator,
        steps: int,
        record: Recorder | None = None,
    ) -> None:
        require_counts(steps=steps)
        if record is None:
            require_cuda(example, generator)
            record = record_cuda
        self._entry: S = mapped(_copied, example)

        def body() -> S:
            state = self._entry
            for _ in range(steps):
                state = step(state)
            return state

        self._exit, self._play = record(body, generator)
        require_like("what step returns", self._exit, self._entry)

    def replay(self, state: S) -> S:
        """The state K steps on, in tensors of its own; the given one is not changed."""
        require_like("state", state, self._entry)
        mapped(_filled, self._entry, state)
        self._play()
        return mapped(_copied, self._exit)


def record_cuda(
    body: Callable[[], Any], generator: torch.Generator
) -> tuple[Any, Callable[[], None]]:
    """Capture a body as a CUDA graph; returns its static outputs and what replays it."""
    device = generator.device
    before = generator.get_state()
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    # Libraries allocate and kernels compile at first calls, which must not happen in a capture.
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            body()
    torch.cuda.current_stream(device).wait_stream(side)
    generator.set_state(before)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=side):
        out = body()
    return out, graph.replay


def require_cuda(state: Any, generator: torch.Generator) -> None:
    """Raise unless all tensors of a state and the generator are on a CUDA device."""
    devices = {f"state{path}": leaf.device for path, leaf in _leaves(state)}
    for name, device in {**devices, "generator": generator.device}.items():
        if device.type != "cuda":
            raise DeviceError(
                f"{name} is on {device}; a CUDA graph holds CUDA tensors only: move it there, or "
                "run the steps one by one"
            )


def require_like(name: str, state: Any, like: Any) -> None:
    """Raise unless a state has the structure, shapes, types and devices of another."""
    got, due = dict(_leaves(state)), dict(_leaves(like))
    if got.keys() != due.keys():
        raise ShapeError(f"{name} holds tensors at {[*got]}, expected {[*due]}")
    for path, leaf in got.items():
        require_alike(f"{name}{path}", leaf, f"the example{path}", due[path])


def _leaves(state: Any, path: str = "") -> list[tuple[str, Tensor]]:
    """The tensors of nested tuples, each with its path."""
    if isinstance(state, Tensor):
        return [(path, state)]
    return [leaf for i, part in enumerate(state) for leaf in _leaves(part, f"{path}[{i}]")]


def _copied(t: Tensor) -> Tensor:
    return t.detach().clone()


def _filled(fixed: Tensor, given: Tensor) -> Tensor:
    return fixed.copy_(given.detach())
