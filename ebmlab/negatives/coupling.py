"""Whether an energy tells data from negatives by the batch they come in."""

import warnings

import torch
from torch import Tensor

from ebmlab._batch_norms import batch_norms
from ebmlab.energy import Energy

__all__ = ["batch_norm"]


def batch_norm(energy: Energy, like: Tensor, stacklevel: int) -> Tensor:
    """A metric: 1 where a layer normalizes over the batch in training mode, which it warns of."""
    coupled = batch_norms(energy)
    if coupled:
        warnings.warn(
            f"{coupled[0]} normalizes over the batch in training mode: the energy of one y then "
            "depends on the others, and data and negatives are told apart by their "
            "statistics; use group or layer normalization, or .eval()",
            stacklevel=stacklevel + 1,
        )
    return torch.full((), float(bool(coupled)), dtype=like.dtype, device=like.device)
