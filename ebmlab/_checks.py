"""Checks of shapes, types and devices, raised early and in one wording."""

import math
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from ebmlab._kinds import require_a, require_floats, require_tensors
from ebmlab._tracing import tracing
from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.types import Rng, Tree

__all__ = [
    "common_batch",
    "leading_shape",
    "leaves",
    "named_device",
    "one_number",
    "require_counts",
    "require_device",
    "require_generator",
    "require_index",
    "require_labels",
    "require_non_negative",
    "require_number",
    "require_one_kind",
    "require_positive",
    "require_rows",
    "require_same_kind",
    "require_seed",
    "require_shares",
    "require_tensor",
]

Ndim = int | tuple[int | None, ...]


def leading_shape(name: str, tree: Tree, ndim: Ndim) -> torch.Size:
    """The batch shape of x, y or z: all dimensions before the event's `ndim` last ones."""
    if isinstance(tree, Tensor):
        if isinstance(ndim, tuple):
            raise ShapeError(f"{name} is one tensor; expected a tuple of {len(ndim)}")
        if tree.ndim < ndim:
            raise ShapeError(
                f"{name} has shape {tuple(tree.shape)}, but its event alone has {ndim} "
                f"dimensions; {name} is (*batch, *event)"
            )
        shape = tree.shape[: tree.ndim - ndim]
        if 0 in shape:
            raise ShapeError(f"{name} has shape {tuple(tree.shape)}: the batch is empty")
        return shape
    parts = leaves(tree, name)
    each = ndim if isinstance(ndim, tuple) else (ndim,) * len(parts)
    if tree is not None and (len(each) != len(parts) or not parts):
        expected = len(each) or "a tensor, or a tuple of some"
        raise ShapeError(f"{name} holds {len(parts)} tensors; expected {expected}")
    require_tensors(**{f"{name}[{i}]": leaf for i, leaf in enumerate(parts)})
    shapes = {
        f"{name}[{i}]": leading_shape(f"{name}[{i}]", leaf, n)
        for i, (leaf, n) in enumerate(zip(parts, each, strict=False))
        if n is not None
    }
    return common_batch(shapes)


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


def leaves(tree: Tree, name: str = "this") -> tuple[Tensor, ...]:
    """The tensors of a tree; raises of a list or an array of numpy, which are none."""
    if isinstance(tree, tuple):
        return tree
    if tree is None:
        return ()
    mend = "torch.as_tensor makes tensors, tuple(…) a tuple of a list of them"
    return (require_a(Tensor, name, tree, mend),)


def require_tensor(name: str, tree: Tree) -> Tensor:
    """The one tensor that a tree must be here."""
    if isinstance(tree, Tensor):
        return tree
    got = "None" if tree is None else f"a tuple of {len(leaves(tree, name))}"
    raise ShapeError(f"{name} is {got}; expected one tensor")


def require_rows(name: str, t: Tensor) -> None:
    """Raise unless there is a row at least in a tensor (n, *event)."""
    require_tensors(**{name: t})
    if t.ndim < 1 or len(t) == 0:
        raise ShapeError(f"{name} has shape {tuple(t.shape)}; expected (n, *event), n >= 1")


def require_index(name: str, tree: Tree) -> Tensor:
    """The one tensor of whole numbers that a tree must be here."""
    index = require_tensor(name, tree)
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise DtypeError(f"{name} has dtype {index.dtype}; it is a number of a row: .long()")
    return index


def require_labels(name: str, tree: Tree, classes: int) -> Tensor:
    """The one tensor of whole numbers in 0 … classes - 1 that a tree must be here."""
    labels = require_index(name, tree)
    # While a graph of steps is captured nothing may wait; the calls before it have looked.
    captured = labels.is_cuda and torch.cuda.is_current_stream_capturing()
    if not (captured or tracing()):
        wrong = labels[(labels < 0) | (labels >= classes)]
        if len(wrong):
            raise ConfigurationError(
                f"{name} {tuple(labels.shape)} holds the label {int(wrong[0])}; labels of "
                f"{classes} classes are 0 … {classes - 1}"
            )
    return labels


def require_same_kind(named: dict[str, Tree]) -> None:
    """Raise unless tensors share a device, floating ones a dtype, and none is complex.

    Under autocast single and half precision meet.
    """
    first = precise = device = dtype = None
    for name, tree in named.items():
        for leaf in leaves(tree, name):
            if device is None:
                first, device = name, leaf.device
            elif leaf.device != device:
                raise DeviceError(
                    f"{name} is on {leaf.device}, {first} on {device}; move one with .to()"
                )
            if leaf.is_complex():
                require_floats(name, leaf)
            if leaf.dtype != dtype and leaf.is_floating_point():
                if dtype is not None and not _mixes(leaf, dtype):
                    raise DtypeError(
                        f"{name} is {leaf.dtype}, {precise} is {dtype}; convert one with "
                        ".to(dtype)"
                    )
                precise, dtype = name, leaf.dtype


def _mixes(t: Tensor, dtype: torch.dtype) -> bool:
    return torch.float64 not in {t.dtype, dtype} and torch.is_autocast_enabled(t.device.type)


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
    own = _floating(module, "_parameters")
    own = _floating(module, "_buffers") if own is None else own
    if own is None:
        return
    who = type(module).__name__
    require_device(who, own.device, named)
    for name, tree in named.items():
        for leaf in leaves(tree):
            if leaf.dtype != own.dtype and {leaf.dtype, own.dtype} == _FULL:
                raise DtypeError(
                    f"{name} is {leaf.dtype}, {who} holds {own.dtype}; convert one with .to(dtype)"
                )


_FULL = {torch.float32, torch.float64}


def _floating(module: nn.Module, kind: str) -> Tensor | None:
    """The first tensor of floating point, which each call asks for: `parameters()` is slow."""
    for tensor in getattr(module, kind).values():
        if tensor is not None and tensor.is_floating_point():
            return tensor
    for child in module.children():
        found = _floating(child, kind)
        if found is not None:
            return found
    return None


def require_generator(rng: Rng, who: str, device: torch.device) -> torch.Generator:
    """Return rng, or raise if there is none or it lives elsewhere."""
    if rng is None:
        raise ConfigurationError(
            f"{who} draws random numbers: pass rng=torch.Generator({str(device)!r}).manual_seed(…)"
        )
    require_a(torch.Generator, f"{who}: rng", rng, "torch.Generator(device).manual_seed(seed)")
    if rng.device.type != device.type:
        raise DeviceError(f"{who}: rng is on {rng.device}, the tensors on {device}")
    return rng


def named_device(name: str) -> torch.device:
    """The device of this name, or raise if it is unavailable."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise ConfigurationError(f"device {name!r} is unavailable: {why}") from error
    return device


def one_number(name: str, value: float | Tensor) -> Tensor:
    """The number, 0-d in float64; raises where several came, NaN, or what is no number."""
    if isinstance(value, Tensor):
        require_tensors(**{name: value})
        if value.numel() != 1:
            raise ShapeError(f"{name} has shape {tuple(value.shape)}; expected one number")
    if not isinstance(value, Real | Tensor) or math.isnan(value):
        raise ConfigurationError(f"{name} is {value}; expected one number")
    return torch.as_tensor(value, dtype=torch.float64).detach().reshape(())


def require_positive(name: str, value: float | Tensor) -> None:
    """Raise unless a number is finite and > 0; tensors are trusted, so that nothing waits."""
    if not isinstance(value, Tensor) and not (_finite(value) and value > 0):
        raise ConfigurationError(f"{name} is {value}; it must be finite and positive")


def require_non_negative(name: str, value: float | Tensor) -> None:
    """Raise unless a number is finite and >= 0; tensors are trusted."""
    if not isinstance(value, Tensor) and not (_finite(value) and value >= 0):
        raise ConfigurationError(f"{name} is {value}; it must be finite and not negative")


def require_seed(seed: object) -> None:
    """Raise unless a seed is a whole number, of which streams are made."""
    if not isinstance(seed, Integral):
        raise ConfigurationError(f"seed is {seed!r}; it must be a whole number")


def require_number(**numbers: float) -> None:
    """Raise unless each is finite."""
    for name, value in numbers.items():
        if not _finite(value):
            raise ConfigurationError(f"{name} is {value}; it must be a finite number")


def require_counts(least: int = 1, /, **counts: object) -> None:
    """Raise unless each is a whole number of at least `least`."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
            raise ConfigurationError(f"{name} is {count}; it must be at least {least}, and whole")


def require_shares(**shares: float | Tensor) -> None:
    """Raise unless each is a number in [0, 1]."""
    for name, share in shares.items():
        if not isinstance(share, Real | Tensor) or not 0 <= share <= 1:
            raise ConfigurationError(f"{name} is {share}; it must lie in [0, 1]")


def _finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
