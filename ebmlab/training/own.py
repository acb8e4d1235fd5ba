"""State that each rank has for itself, as its chains: kept for all of them in one checkpoint."""

import hashlib

import torch
from torch import Tensor, distributed, nn

from ebmlab._ranks import local, rank_count, rank_number

__all__ = ["own_buffers", "take_own"]


def own_buffers(method: nn.Module) -> dict[str, list[Tensor]]:
    """Buffers that differ between ranks, by name: one tensor for each rank, in their order.

    Every rank asks, and all hear the same.
    """
    if rank_count() == 1:
        return {}
    buffers = dict(sorted(_kept(method).items()))
    if not buffers:
        return {}
    marks = [_mark(buffer) for buffer in buffers.values()]
    # Sent from where the buffers are: what ranks talk through may know one kind of device only.
    theirs = _everywhere(torch.tensor(marks, device=next(iter(buffers.values())).device))
    differ = [bool((each != mark).any()) for each, mark in zip(theirs.T, marks, strict=True)]
    return {
        name: list(_everywhere(buffer))
        for (name, buffer), other in zip(buffers.items(), differ, strict=True)
        if other
    }


def take_own(method: nn.Module, saved: dict[str, list[Tensor]]) -> None:
    """Put back this rank's; where there are more ranks than before, some begin as others did."""
    buffers = _kept(method)
    with torch.no_grad():
        for name, each in saved.items():
            buffers[name].copy_(each[rank_number() % len(each)])


def _kept(method: nn.Module) -> dict[str, Tensor]:
    """The buffers that a state dictionary holds and no shares make up."""
    state = method.state_dict()
    named = dict(method.named_buffers())
    return {name: b for name, b in named.items() if name in state and local(b) is b and b.numel()}


def _mark(buffer: Tensor) -> int:
    content = buffer.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    digest = hashlib.sha256(repr(tuple(buffer.shape)).encode() + content.tobytes()).digest()
    return int.from_bytes(digest[:7])


def _everywhere(tensor: Tensor) -> Tensor:
    """What each rank has: (ranks, …), on the CPU."""
    own = tensor.detach().contiguous()
    parts = own.new_empty(rank_count(), *own.shape)
    distributed.all_gather(list(parts), own)
    return parts.cpu()
