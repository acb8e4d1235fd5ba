"""Ranks of a distributed run: the rows of all of them together, gradients included."""

import sys
from typing import Any

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
    "rank_count",
    "rank_number",
    "summed",
    "totaled",
]


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
    _require_equal(name, rows)
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
    agreed = torch.as_tensor(flag, device=_device(flag)).int()
    distributed.all_reduce(agreed, distributed.ReduceOp.MIN)
    return bool(agreed)


@torch.no_grad()
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
    shared = sys.modules.get("torch.distributed.tensor")
    if shared is not None and isinstance(tensor, shared.DTensor):
        return tensor.to_local()
    return tensor


def _joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _device(flag: Tensor | bool) -> torch.device:
    """Where a flag can be sent from: NCCL takes nothing from the CPU."""
    if isinstance(flag, Tensor) and flag.device.type != "cpu":
        return flag.device
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def _require_equal(name: str, rows: Tensor) -> None:
    mine = torch.tensor([rows.ndim, *rows.shape, *[0] * (7 - rows.ndim)], device=rows.device)
    theirs = [torch.empty_like(mine) for _ in range(rank_count())]
    distributed.all_gather(theirs, mine)
    shapes = [tuple(shape[1 : 1 + shape[0]]) for shape in torch.stack(theirs).tolist()]
    if len(set(shapes)) > 1:
        listed = ", ".join(f"rank {rank} {shape}" for rank, shape in enumerate(shapes))
        raise ShapeError(
            f"{name} differs between ranks: {listed}; give every rank equal batches (drop the "
            "last one that is not full, as DistributedSampler(drop_last=True) does)"
        )
