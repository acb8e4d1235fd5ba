"""What lets one piece of arithmetic run on NumPy's arrays and on torch's tensors."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["NUMPY", "TORCH", "Array", "Arrays"]

Array = Any


class Arrays(NamedTuple):
    """What NumPy and torch spell differently; the rest is operators that both have."""

    int32: Any
    float32: Any
    float64: Any
    word: Callable[[int], Array]  # 0 ... 2³² - 1 beside the words of `rotated`
    constant: Callable[[float], Array]  # an int beside int32, a float beside float32
    rotated: Callable[[Array, int], Array]  # a word's bits by some places to the left, in place
    converted: Callable[[Array, Any], Array]
    sqrt: Callable[[Array], Array]
    log: Callable[[Array], Array]
    sin: Callable[[Array], Array]
    cos: Callable[[Array], Array]


def _torch_word(value: int) -> int:
    return (value ^ 2**31) - 2**31


def _torch_constant(value: float) -> float:
    return value


def _torch_rotated(word: torch.Tensor, turn: int) -> torch.Tensor:
    low = word >> (32 - turn)
    low &= (1 << turn) - 1  # the shift repeats the sign
    word <<= turn
    word |= low
    return word


# NumPy wraps a number up at each use, for longer than it takes to add a short row.
@cache
def _numpy_word(value: int) -> np.ndarray:
    return np.array(value, np.uint32)


@lru_cache(maxsize=None, typed=True)
def _numpy_constant(value: float) -> np.ndarray:
    return np.array(value, np.int32 if isinstance(value, int) else np.float32)


def _numpy_rotated(word: np.ndarray, turn: int) -> np.ndarray:
    low = word >> _numpy_word(32 - turn)
    word <<= _numpy_word(turn)
    word |= low
    return word


TORCH = Arrays(
    *(torch.int32, torch.float32, torch.float64),
    *(_torch_word, _torch_constant, _torch_rotated, torch.Tensor.to),
    *(torch.sqrt, torch.log, torch.sin, torch.cos),
)
NUMPY = Arrays(
    *(np.int32, np.float32, np.float64),
    *(_numpy_word, _numpy_constant, _numpy_rotated, np.ndarray.astype),
    *(np.sqrt, np.log, np.sin, np.cos),
)
