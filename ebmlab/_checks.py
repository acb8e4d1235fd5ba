"""Checks of shapes, types and devices, raised early and in one wording."""

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.types import Tree

__all__ = [
    "common_batch",
    "leading_shape",
    "leaves",
    "named_device",
    "over_batch",
    "require_device",
    "require_generator",
    "require_index",
    "require_non_negative",
    "require_one_kind",
    "require_positive",
    "require_same_kind",
    "require_tensor",
]

Ndim = int | tuple[int | None, ...]


def leading_shape(name: str, tree: Tree, ndim: Ndim) -> torch.Size:
    """The batch shape of x, y or z: all dimensions before the event's `ndim` last ones."""
    if tree is None:
        return torch.Size()
    if isinstance(tree, tuple):
        each = ndim if isinstance(ndim, tuple) else (ndim,) * len(tree)
        if len(each) != len(tree):
            raise ShapeError(f"{name} holds {len(tree)} tensors, but {len(each)} are due")
        parts = [
            leading_shape(f"{name}[{i}]", leaf, n)
            for i, (leaf, n) in enumerate(zip(tree, each, strict=True))
            if n is not None
        ]
        return common_batch({f"{name}[{i}]": part for i, part in enumerate(parts)})
    if isinstance(ndim, tuple):
        raise ShapeError(f"{name} is one tensor, but a tuple of {len(ndim)} is due")
    if tree.ndim < ndim:
        raise ShapeError(
            f"{name} has shape {tuple(tree.shape)}, but its event alone has {ndim} dimensions; "
            f"{name} is (*batch, *event)"
        )
    shape = tree.shape[: tree.ndim - ndim]
    if 0 in shape:
        raise ShapeError(f"{name} has shape {tuple(tree.shape)}: the batch is empty")
    return shape


def common_batch(shapes: dict[str, torch.Size]) -> torch.Size:
    """Broadcast leading shapes together, or say which of them differ."""
    if torch.compiler.is_compiling():
        return torch.broadcast_shapes(*shapes.values())
    distinct = set(shapes.values())
    if len(distinct) == 1:
        return next(iter(distinct))
    length = max(map(len, distinct), default=0)
    sizes: list[int] = []
    for column in zip(*((1,) * (length - len(shape)) + shape for shape in distinct), strict=True):
        wide = {size for size in column if size != 1}
        if len(wide) > 1:
            listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
            raise ShapeError(
                f"batches differ: {listed}; leading dimensions must be equal or broadcast, as in "
                "energy(x[:, None], y[None]) for all pairs"
            )
        sizes.append(wide.pop() if wide else 1)
    return torch.Size(sizes)


def leaves(tree: Tree) -> tuple[Tensor, ...]:
    """The tensors of a tree."""
    if tree is None:
        return ()
    return tree if isinstance(tree, tuple) else (tree,)


def require_tensor(name: str, tree: Tree) -> Tensor:
    """The one tensor that a tree must be here."""
    if isinstance(tree, Tensor):
        return tree
    got = "None" if tree is None else f"a tuple of {len(tree)}"
    raise ShapeError(f"{name} must be one tensor here, but {got} arrived")


def require_index(name: str, tree: Tree) -> Tensor:
    """The one tensor of whole numbers that a tree must be here."""
    index = require_tensor(name, tree)
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise DtypeError(f"{name} has dtype {index.dtype}; it is a number of a row: .long()")
    return index


def require_same_kind(named: dict[str, Tree]) -> None:
    """Raise unless all tensors share one device and all floating ones one dtype."""
    first: tuple[str, Tensor] | None = None
    precise: tuple[str, Tensor] | None = None
    for name, tree in named.items():
        for leaf in leaves(tree):
            first = first or (name, leaf)
            if leaf.device != first[1].device:
                raise DeviceError(
                    f"{name} is on {leaf.device}, {first[0]} on {first[1].device}; "
                    "move one with .to()"
                )
            if leaf.is_floating_point():
                precise = precise or (name, leaf)
                if leaf.dtype != precise[1].dtype:
                    raise DtypeError(
                        f"{name} is {leaf.dtype}, {precise[0]} is {precise[1].dtype}; "
                        "convert one with .to(dtype)"
                    )


def require_device(who: str, device: torch.device, named: dict[str, Tree]) -> None:
    """Raise unless all tensors are where `who` is."""
    for name, tree in named.items():
        for leaf in leaves(tree):
            if leaf.device != device:
                raise DeviceError(
                    f"{name} is on {leaf.device}, {who} on {device}; move one with .to()"
                )


def require_one_kind(module: nn.Module, named: dict[str, Tree]) -> None:
    """Raise where inputs and a module's own tensors differ in device or in single or double."""
    own = next(_floating(module), None)
    if own is None:
        return
    who, full = type(module).__name__, {torch.float32, torch.float64}
    require_device(who, own.device, named)
    for name, tree in named.items():
        for leaf in leaves(tree):
            if leaf.dtype != own.dtype and {leaf.dtype, own.dtype} == full:
                raise DtypeError(
                    f"{name} is {leaf.dtype}, {who} holds {own.dtype}; convert one with .to(dtype)"
                )


def _floating(module: nn.Module) -> Iterator[Tensor]:
    for tensors in (module.parameters(), module.buffers()):
        yield from (tensor for tensor in tensors if tensor.is_floating_point())


def require_generator(
    rng: torch.Generator | None, who: str, device: torch.device
) -> torch.Generator:
    """Return rng, or raise if there is none or it lives elsewhere."""
    if rng is None:
        raise ConfigurationError(
            f"{who} draws random numbers: pass rng=torch.Generator({str(device)!r}).manual_seed(…)"
        )
    if rng.device.type != device.type:
        raise DeviceError(f"{who}: rng is on {rng.device}, the tensors on {device}")
    return rng


def named_device(name: str) -> torch.device:
    """The device of this name, or raise if it is not to be had here."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise ConfigurationError(f"device {name!r} is not to be had here: {why}") from error
    return device


def require_positive(name: str, value: float | Tensor) -> None:
    """Raise unless a number is finite and > 0; tensors are trusted, so that nothing waits."""
    if not isinstance(value, Tensor) and not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} is {value}; it must be finite and positive")


def require_non_negative(name: str, value: float | Tensor) -> None:
    """Raise unless a number is finite and >= 0; tensors are trusted."""
    if not isinstance(value, Tensor) and not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"{name} is {value}; it must be finite and not negative")


Out = TypeVar("Out", Tensor, tuple[Tensor, ...])


def over_batch(function: Callable[..., Out], *inputs: tuple[Tensor, int]) -> Out:
    """Call a function of single-batch tensors on tensors with any leading dimensions.

    Each input is (tensor, event dimensions). Leading dimensions are broadcast together, flattened
    to one, and restored on the output (on each of a tuple), so that modules which know one batch
    dimension serve all.
    """
    shapes = [leading_shape(f"input {i}", t, n) for i, (t, n) in enumerate(inputs)]
    batch = common_batch({f"input {i}": shape for i, shape in enumerate(shapes)})
    if len(batch) == 1 and all(shape == batch for shape in shapes):
        return function(*(tensor for tensor, _ in inputs))
    rows = [
        t.expand(*batch, *t.shape[t.ndim - n :]).reshape(-1, *t.shape[t.ndim - n :])
        for t, n in inputs
    ]
    who = getattr(function, "__name__", type(function).__name__)
    out = function(*rows)
    if isinstance(out, tuple):
        return tuple(_restored(part, batch, who) for part in out)
    return _restored(out, batch, who)


def _restored(out: Tensor, batch: torch.Size, who: str) -> Tensor:
    if out.ndim == 0 or len(out) != batch.numel():
        raise ShapeError(
            f"{who} returned {tuple(out.shape)} for {batch.numel()} rows; its first dimension "
            "must be the batch"
        )
    return out.reshape((*batch, *out.shape[1:]))
