"""The ranks of `torchrun`: joining them, and spreading a method over them."""

import atexit

import torch
from torch import distributed, nn

from ebmlab._ranks import alike, rank_count
from ebmlab.errors import ConfigurationError
from ebmlab.networks import BatchNorm
from ebmlab.training.scale import Scale

__all__ = ["join", "require_alike", "require_ranks", "spread"]


def join() -> None:
    """Join the ranks that `torchrun` started, if it did; they part as the program ends."""
    if not distributed.is_available() or distributed.is_initialized():
        return
    if distributed.is_torchelastic_launched():
        both = "cpu:gloo,cuda:nccl"
        distributed.init_process_group(both if torch.cuda.is_available() else "gloo")
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


def spread(method: nn.Module, scale: Scale) -> nn.Module:
    """What is called in place of the method, so that ranks together train what one would.

    Every rank begins with the parameters and buffers of the first.

    Raises:
        ConfigurationError: there are no ranks to shard over, or a batch normalization knows
            nothing of the others' rows.
    """
    require_ranks(scale)
    if rank_count() == 1:
        return method
    _require_synchronized(method)
    trained = any(parameter.requires_grad for parameter in method.parameters())
    if isinstance(method, nn.parallel.DistributedDataParallel) or not trained:
        return method
    with torch.no_grad():
        for tensor in (*method.parameters(), *method.buffers()):
            distributed.broadcast(tensor, 0)
    if scale.shard:
        from torch.distributed.fsdp import fully_shard

        # At the root alone, so that second derivatives find all parameters whole.
        return fully_shard(method)
    return nn.parallel.DistributedDataParallel(
        method, broadcast_buffers=False, find_unused_parameters=True
    )


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
