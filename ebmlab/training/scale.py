"""`Scale`: how a method is spread over memory and ranks."""

from dataclasses import dataclass

from torch import nn

from ebmlab.errors import ConfigurationError
from ebmlab.networks import recomputed
from ebmlab.protocols import Method

__all__ = ["Scale", "fitted"]


@dataclass(frozen=True)
class Scale:
    """How `fit` fits a large method into memory, and onto ranks.

    Args:
        shard: each rank keeps its share of parameters, gradients and the optimizer's state only
            (FSDP2); they are put together where they are needed.
        recompute: blocks of the encoder keep their inputs only, and are computed again in
            backward: less memory for about a third more time.
        compile: run the encoder by `torch.compile`; it has no second derivatives then.

    Example:
        >>> Scale(recompute=True)
        Scale(shard=False, recompute=True, compile=False)

    Source: Chen, Xu, Zhang, Guestrin 2016, arXiv:1604.06174; Zhao et al. 2023, arXiv:2304.11277.
    """

    shard: bool = False
    recompute: bool = False
    compile: bool = False


def fitted(method: nn.Module, scale: Scale) -> None:
    """Have blocks of a method computed again in backward, and its encoder compiled, if asked to.

    Raises:
        ConfigurationError: the method has no such blocks, or no encoder.
    """
    if scale.recompute:
        recomputed(method)
    if scale.compile:
        encoder = method.encoder if isinstance(method, Method) else None
        if encoder is None:
            raise ConfigurationError(
                f"compile is set, but {type(method).__name__} has no encoder; leave it out"
            )
        encoder.compile()
