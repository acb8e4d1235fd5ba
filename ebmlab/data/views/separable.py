"""Linear maps of rows and of columns, one pair for each image."""

import torch
from torch import Tensor

__all__ = ["separable"]


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """R X Cᵀ for each channel X of each image: two batched matrix products.

    Args:
        images: (n, c, h, w).
        rows: R, (n, height, h).
        columns: C, (n, width, w).

    Returns:
        (n, c, height, width).
    """
    n, c, h, w = images.shape
    across = torch.bmm(images.reshape(n, c * h, w), columns.mT).reshape(n, c, h, -1)
    return rows[:, None] @ across
