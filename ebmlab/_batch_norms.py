"""Which parts of a network couple the rows of a batch."""

from torch import nn

__all__ = ["batch_norms"]


def batch_norms(module: nn.Module) -> list[str]:
    """The names of the submodules that normalize over the batch, being in training mode.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        >>> batch_norms(network), batch_norms(network.eval())
        (['1'], [])
    """
    return [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training
    ]
