"""`settle`: commits without steps, before training begins."""

from torch import nn

from ebmlab._checks import require_counts
from ebmlab.training.batches import Data
from ebmlab.training.passes import Passes, generator_for, passing
from ebmlab.types import Rng

__all__ = ["settle"]


def settle(
    method: nn.Module, data: Data, *, commits: int, rng: Rng = None, batch_size: int = 128
) -> None:
    """Commit batches and take no step: queues, centers and clusters fill, no weight moves.

    The first gradients of DeepCluster then come from clusters of the data, as in its paper, and
    those of MoCo from negatives that are data. Clocks move as in any commit, and so do the
    statistics of batch normalization; a teacher stays the copy that it is.

    Args:
        method: a `Method`, or a module around one: (x, y, rng) -> `Loss`.
        data: as `fit` takes it.
        commits: how many, >= 1; DeepCluster's first K-means comes at its `every`-th.
        rng: a generator on the method's device; None is a new one, seeded with 0.
        batch_size: rows in a batch.

    Raises:
        NonFiniteError: a loss is NaN or infinite; nothing is committed of that batch.
        ConfigurationError, ShapeError, DeviceError: as in `fit`.

    Example:
        >>> import torch
        >>> from ebmlab import methods
        >>> method = methods.moco(nn.Linear(2, 4), 4, projection=3, memory=64)
        >>> x = torch.randn(96, 2)
        >>> settle(method, (x, x), commits=2, batch_size=32)
        >>> int(method.objective.negatives.memory.count)
        64
    """
    require_counts(commits=commits)
    passes = Passes(method, data, batch_size, generator_for(method, rng))
    with passing(method):
        for number in range(1, commits + 1):
            passes.step(number)
