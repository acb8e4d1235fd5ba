"""Trees of many small tensors as a few large ones, which programs hand on at less cost."""

from typing import Any

import torch
from torch import Tensor

from ebmlab._rows import leaves_of, mapped

__all__ = ["Packing"]


class Packing:
    """What is of one shape and type is stacked.

    Args:
        like: tuples in tuples of tensors, in the form of all that will be packed.

    Example:
        >>> packing = Packing((torch.zeros(2), (torch.ones(2), torch.ones(3))))
        >>> packs = packing.packed((torch.zeros(2), (torch.ones(2), torch.ones(3))))
        >>> packs
        (tensor([[0., 0.],
                [1., 1.]]), tensor([[1., 1., 1.]]))
        >>> packing.unpacked(packs)[1]
        (tensor([1., 1.]), tensor([1., 1., 1.]))
    """

    def __init__(self, like: Any) -> None:
        self.form = mapped(lambda part: part.to("meta"), like)
        self.kinds = [*dict.fromkeys(map(_kind, leaves_of(like)))]

    def packed(self, tree: Any) -> tuple[Tensor, ...]:
        """A tensor for each kind."""
        parts = [*leaves_of(tree)]
        alike = [[part for part in parts if _kind(part) == kind] for kind in self.kinds]
        return tuple(torch.stack(some) if len(some) > 1 else some[0][None] for some in alike)

    def unpacked(self, packs: tuple[Tensor, ...]) -> Any:
        """The tree again."""
        rest = {k: iter(pack.unbind()) for k, pack in zip(self.kinds, packs, strict=True)}
        return mapped(lambda part: next(rest[_kind(part)]), self.form)


def _kind(part: Tensor) -> tuple[torch.Size, torch.dtype]:
    return part.shape, part.dtype
