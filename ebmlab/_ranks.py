"""Ranks of a distributed run: the rows of all of them together, gradients included."""

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ebmlab._precise import precise
from ebmlab.errors import ShapeError

__all__ = [
    "alike",
    "averaged",
    "decided",
    "gathered",
    "local",
    "means",
    "rank_count",
    "rank_number",
    "require_equal_rows",
    "summed",
    "totaled",
]

Key = TypeVar("Key")

# Numbers that ranks tell each other at once: what batches of up to a dozen views need.
_PACKET = 16


def rank_count() -> int:
    """How many processes train together; 1 where there is no process group."""
    return distributed.get_world_size() if _joined() else 1


def rank_number() -> int:
    """This process's rank; 0 where there is no process group."""
    return distributed.get_rank() if _joined() else 0


def gathered(name: str, rows: Tensor, *, batch_dim: int = 0) -> Tensor:
    """The rows of all ranks, in their order: (b, …) -> (ranks · b, …); alone, rows themselves.

    A loss of the gathered rows has the gradient of one process that holds them all, once it is
    averaged over the ranks as DDP does, whether each rank computes all of the loss or the mean
    over its own rows. Gradients of gradients pass too.

    Args:
        name: what the rows are, for errors.
        rows: (…, b, …), as many on every rank.
        batch_dim: which dimension is b.

    Raises:
        ShapeError: the ranks hold different shapes; raised on all of them, before any row moves.

    Example:
        >>> gathered("hx", torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    if rank_count() == 1:
        return rows
    _require_alike(name, {"": rows.shape})
    parts = _Gathered.apply(rows)
    return parts.movedim(0, batch_dim).flatten(batch_dim, batch_dim + 1)


class _Gathered(torch.autograd.Function):
    """Rows (…) of every rank: (ranks, …)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = rows.new_empty(rank_count(), *rows.shape)
        distributed.all_gather(list(parts), rows.contiguous())
        return parts

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Returned.apply(*grads)


class _Returned(torch.autograd.Function):
    """The transpose of the gather: what all ranks hold (ranks, …) for this one, summed: (…)."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor) -> Tensor:
        # As the memory of a sum is sent as it lies, it must not lie transposed.
        return totaled(parts.contiguous())[rank_number()]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Gathered.apply(*grads)


def summed(value: Tensor) -> Tensor:
    """The sum of numbers (…) of all ranks, with gradients; alone, they themselves.

    A loss of the sum has the gradient of one process that holds all rows, once it is averaged
    over the ranks as DDP does. Gradients of gradients pass too.

    Example:
        >>> summed(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    return value if rank_count() == 1 else _Summed.apply(value)


class _Summed(torch.autograd.Function):
    """Numbers (…) of every rank, added; its transpose is itself."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        # As the memory of a sum is sent as it lies, it must not lie transposed.
        total = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _Summed.apply(*grads)


@torch.no_grad()
def decided(flag: Tensor | bool) -> bool:
    """Whether a flag is true on all ranks; every rank asks, and all hear the same.

    Example:
        >>> decided(torch.tensor(2.0).isfinite())
        True
    """
    if rank_count() == 1:
        return bool(flag)
    device = flag.device if isinstance(flag, Tensor) else torch.device("cpu")
    agreed = torch.as_tensor(flag, device=_host() if device.type == "cpu" else device).int()
    distributed.all_reduce(agreed, distributed.ReduceOp.MIN)
    return bool(agreed)


def totaled(value: Tensor) -> Tensor:
    """The sum of numbers of all ranks, detached, in float32 or better; alone, they themselves."""
    total = value.detach()
    if rank_count() == 1:
        return total
    total = precise(total).clone()
    distributed.all_reduce(total)
    return total


@torch.no_grad()
def averaged(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of the rows of all ranks and how many they are, detached; in float32 or better.

    The batches (b, …) may be of unequal sizes.

    Example:
        >>> averaged(torch.tensor([[1.0], [2.0], [6.0]]))
        (tensor([3.]), tensor(3.))
    """
    rows = precise(rows)
    count = totaled(rows.new_full((), len(rows)))
    return totaled(rows.sum(0)) / count, count


def alike(number: int, device: torch.device) -> bool:
    """Whether a number in 0 … 2⁶⁴ - 1 is the same on all ranks."""
    if rank_count() == 1:
        return True
    halves = torch.tensor([number >> 32, number & 0xFFFFFFFF], device=device)
    least, most = halves.clone(), halves.clone()
    distributed.all_reduce(least, distributed.ReduceOp.MIN)
    distributed.all_reduce(most, distributed.ReduceOp.MAX)
    return bool((least == most).all())


def local(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor that ranks share out; else the tensor itself."""
    # Only a program that has loaded them can hold some, and loading takes long.
    shared: Any = sys.modules.get("torch.distributed.tensor")
    whole: Any = tensor
    if shared is not None and isinstance(whole, shared.DTensor):
        return whole.to_local()
    return tensor


def means(numbers: Mapping[Key, float]) -> dict[Key, float]:
    """The mean over ranks of each number, the same on all; alone, they themselves.

    Example:
        >>> means({"loss": 0.5})
        {'loss': 0.5}
    """
    if rank_count() == 1:
        return dict(numbers)
    total = torch.tensor(list(numbers.values()), dtype=torch.float64, device=_host())
    distributed.all_reduce(total)
    return dict(zip(numbers, (total / rank_count()).tolist(), strict=True))


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def require_equal_rows(**sides: Sequence[Tensor]) -> None:
    """Raise on all ranks unless all hold as many tensors of each side, and as many rows of each.

    What a loss of several ranks is, the mean over their rows, holds for equal batches only.
    """
    if rank_count() > 1:
        rows = {side: [t.shape[0] for t in parts if t.ndim] for side, parts in sides.items()}
        _require_alike("the batch", rows)


def _require_alike(name: str, sizes: Mapping[str, Sequence[int]]) -> None:
    # How many there are of each comes first, so that what is missing is seen too.
    flat = [*map(len, sizes.values()), *itertools.chain.from_iterable(sizes.values())]
    theirs = _told(flat)
    if all(each == flat for each in theirs):
        return
    listed = "; ".join(f"rank {i} {_named(list(sizes), own)}" for i, own in enumerate(theirs))
    raise ShapeError(
        f"{name} differs between ranks: {listed}; give every rank equal batches (drop the "
        "last one that is not full, as DistributedSampler(drop_last=True) does)"
    )


def _named(names: list[str], flat: list[int]) -> str:
    counts, rest = flat[: len(names)], iter(flat[len(names) :])
    parts = {n: tuple(itertools.islice(rest, k)) for n, k in zip(names, counts, strict=True)}
    return ", ".join(f"{name} {part}".strip() for name, part in parts.items())


def _told(numbers: list[int]) -> list[list[int]]:
    """The whole numbers of every rank, of whatever count, the same on each."""
    packet = [len(numbers), *numbers]
    parts = _sent(packet, _PACKET)
    longest = 1 + max(part[0] for part in parts)
    if longest > _PACKET:
        parts = _sent(packet, longest)
    return [part[1 : 1 + part[0]] for part in parts]


def _sent(packet: list[int], width: int) -> list[list[int]]:
    mine = torch.tensor([*packet, *[0] * width][:width], device=_host())
    theirs = mine.new_empty(rank_count(), width)
    distributed.all_gather(list(theirs), mine)
    return theirs.tolist()


def _host() -> torch.device:
    """Where numbers of the host are sent from: from there without waiting for the device."""
    backends = distributed.get_backend_config(None)
    return torch.device("cpu" if "cpu:" in backends else "cuda")
