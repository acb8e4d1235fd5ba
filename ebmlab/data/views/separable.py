"""Linear maps of rows and of columns, one pair for each image."""

import torch
from torch import Tensor

__all__ = ["separable"]


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """R X Cᵀ (n, c, height, width) for each channel X of images (n, c, h, w).

    Two batched matrix products, with rows R (n, height, h) and columns C (n, width, w).
    """
    n, c, h, w = images.shape
    across = torch.bmm(images.reshape(n, c * h, w), columns.mT).reshape(n, c, h, columns.shape[1])
    return rows[:, None] @ across
