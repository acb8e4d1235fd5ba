"""`Scale`: how a method is spread over memory and ranks."""

from dataclasses import dataclass

__all__ = ["Scale"]


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
