"""In which order images are visited: a function of the step, so that a run can go on anywhere."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ebmlab._randomness import stream

__all__ = ["Order"]


@dataclass(frozen=True)
class Order:
    """Each epoch visits n images in an order of its own; what does not fill a batch is left out.

    Args:
        n: how many there are.
        batch_size: in a step; all of them, where there are fewer.
        seed: of the orders.

    Example:
        >>> order = Order(5, 2, seed=0)
        >>> order.epoch, len(torch.cat([order.rows(0), order.rows(1)]).unique())
        (2, 4)
    """

    n: int
    batch_size: int
    seed: int

    @property
    def size(self) -> int:
        """Data in a step."""
        return min(self.batch_size, self.n)

    @property
    def epoch(self) -> int:
        """Steps in an epoch."""
        return max(1, self.n // self.batch_size)

    def rows(self, step: int) -> Tensor:
        """Which images step `step` sees, the first being 0: (batch,), on the CPU."""
        epoch, batch = divmod(step, self.epoch)
        order = _order(self.n, self.seed, epoch)
        return order[batch * self.batch_size : (batch + 1) * self.batch_size]


# A step must not shuffle all data anew.
@lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=stream(seed, epoch, rank=0))
