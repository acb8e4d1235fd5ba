"""The ranks of `torchrun`: joining them, beginning alike, and one gradient for all."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from ebmlab._ranks import alike, rank_count
from ebmlab.errors import ConfigurationError
from ebmlab.networks import BatchNorm
from ebmlab.training.scale import Scale
from ebmlab.training.shards import is_shared

__all__ = ["average_gradients", "join", "require_alike", "require_ranks", "spread", "whole"]

# Gradients travel together, up to this many numbers at once.
BUCKET = 1 << 23


def join() -> None:
    """Join the ranks that `torchrun` started, if it did; they part as the program ends.

    Each takes the GPU of its number on its machine, where there are some.
    """
    if not distributed.is_available() or distributed.is_initialized():
        return
    if not distributed.is_torchelastic_launched():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl")
    else:
        distributed.init_process_group("gloo")
    atexit.register(_part)


def _part() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def require_alike(rng: torch.Generator) -> None:
    """Raise unless generators are seeded alike on all ranks, which then agree who sees what."""
    if not alike(rng.initial_seed(), rng.device):
        raise ConfigurationError(
            "rng is seeded otherwise on another rank; seed it alike on all: it says which rows a "
            "step sees, and each rank's own noise follows from it"
        )


def require_ranks(scale: Scale) -> None:
    """Raise where there are no ranks to shard over."""
    if scale.shard and rank_count() == 1:
        raise ConfigurationError(
            "shard is set, but there is one process; start several: torchrun --nproc-per-node N "
            "script.py, or -m ebmlab train …"
        )


def spread(method: nn.Module, scale: Scale) -> None:
    """Let every rank begin with the parameters and buffers of the first, or with its share.

    Raises:
        ConfigurationError: there are no ranks to shard over, or a batch normalization knows
            nothing of the others' rows.
    """
    require_ranks(scale)
    if rank_count() == 1:
        return
    _require_synchronized(method)
    with torch.no_grad():
        for tensor in (*method.parameters(), *method.buffers()):
            distributed.broadcast(tensor, 0)
    if scale.shard:
        from torch.distributed.fsdp import fully_shard

        # At the root alone, so that second derivatives find all parameters whole.
        fully_shard(method)


def _require_synchronized(method: nn.Module) -> None:
    alone = [
        name
        for name, part in method.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and not isinstance(part, BatchNorm)
    ]
    if alone:
        listed = ", ".join(alone[:5]) + f" and {len(alone) - 5} more" * (len(alone) > 5)
        raise ConfigurationError(
            f"{listed} normalize over the rows of each rank alone; "
            "ebmlab.networks.synchronized(method) makes them normalize over all"
        )


@contextmanager
def whole(method: nn.Module) -> Iterator[None]:
    """Have all parameters on each rank meanwhile, where ranks share them out."""
    if not any(is_shared(parameter) for parameter in method.parameters()):
        yield
        return
    from torch.distributed.fsdp import FSDPModule

    assert isinstance(method, FSDPModule)
    method.unshard()
    try:
        yield
    finally:
        method.reshard()


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Give all ranks the mean of their gradients; where only some have one, others count as 0.

    It comes after backward, in the parameters' own order, so that a parameter that takes part on
    one rank alone, or in a second derivative, is no exception.
    """
    if rank_count() == 1:
        return
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        return
    there = torch.tensor([p.grad is not None for p in trained], device=trained[0].device).int()
    distributed.all_reduce(there, distributed.ReduceOp.MAX)
    shared = [p for p, some in zip(trained, there.tolist(), strict=True) if some]
    for bucket in _buckets(shared):
        grads = [_dense(p) for p in bucket]
        whole = torch.cat([grad.flatten() for grad in grads])
        distributed.all_reduce(whole)
        parts = (whole / rank_count()).split([grad.numel() for grad in grads])
        for p, part in zip(bucket, parts, strict=True):
            p.grad = part.view_as(p)


def _dense(parameter: nn.Parameter) -> Tensor:
    grad = parameter.grad
    if grad is None:
        return torch.zeros_like(parameter)
    return grad.to_dense() if grad.is_sparse else grad


def _buckets(parameters: list[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Neighbors of one type and device, no more numbers than travel together."""
    bucket: list[nn.Parameter] = []
    count = 0
    for p in parameters:
        other = bucket and (p.dtype, p.device) != (bucket[0].dtype, bucket[0].device)
        if bucket and (other or count + p.numel() > BUCKET):
            yield bucket
            bucket, count = [], 0
        bucket.append(p)
        count += p.numel()
    if bucket:
        yield bucket
