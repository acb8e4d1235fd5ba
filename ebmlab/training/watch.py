"""What looks on while a method trains, and the numbers that it adds to the record."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from ebmlab.protocols import Loss
from ebmlab.training.batches import Batch

__all__ = ["Watch", "watched"]


class Watch(Protocol):
    """Called at the recorded steps, after commit; may warn or raise, and moves nothing."""

    def __call__(
        self, method: nn.Module, batch: Batch, loss: Loss
    ) -> Mapping[str, Tensor | float]:
        """Further numbers to record, by name."""
        ...


def watched(watch: Watch | None, method: nn.Module, batch: Batch, loss: Loss) -> Loss:
    """The loss with a watch's numbers among its metrics; "watch.<name>" where a name is taken.

    Example:
        >>> loss = Loss(torch.tensor(1.0), {}, {"gap": torch.tensor(2.0)})
        >>> sorted(watched(lambda *_: {"gap": 0.0, "rank": 3.0}, nn.Identity(), (), loss).metrics)
        ['gap', 'rank', 'watch.gap']
    """
    if watch is None:
        return loss
    seen = watch(method, batch, loss)
    named = {f"watch.{k}" if k in loss.metrics else k: torch.as_tensor(v) for k, v in seen.items()}
    return loss._replace(metrics={**loss.metrics, **named})
