"""The parts of an image that can be hidden, by name."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ebmlab.runs.names import named

__all__ = ["MASKS", "hidden"]

# Where height and width run from 0 to 1, the top left corner being 0, 0.
MASKS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "lower": lambda down, right: down > 0.5,
    "upper": lambda down, right: down < 0.5,
    "left": lambda down, right: right < 0.5,
    "right": lambda down, right: right > 0.5,
    "center": lambda down, right: ((down - 0.5).abs() < 0.25) & ((right - 0.5).abs() < 0.25),
}


def hidden(name: str, height: int, width: int) -> Tensor:
    """Which pixels a mask hides, (height, width).

    Raises:
        ConfigurationError: there is no such mask.

    Example:
        >>> hidden("center", 4, 4).int()
        tensor([[0, 0, 0, 0],
                [0, 1, 1, 0],
                [0, 1, 1, 0],
                [0, 0, 0, 0]], dtype=torch.int32)
    """
    down, right = ((torch.arange(n) + 0.5) / n for n in (height, width))
    return named("mask", name, MASKS)(down[:, None], right[None, :]).expand(height, width)
