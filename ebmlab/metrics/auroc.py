"""How well a number tells odd data from usual ones."""

import torch
from torch import Tensor

from ebmlab._kinds import require_tensors
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["auroc"]


@torch.no_grad()
def auroc(usual: Tensor, odd: Tensor) -> float:
    """P(odd > usual) + ½ P(odd = usual): the area under the curve of hits over false alarms.

    It is exact, ties included, and takes time n log n. ½ is chance, also for numbers that are all
    the same. Infinities are numbers here.

    Args:
        usual: the energies of usual data, (n,).
        odd: of odd data, (m,), which should be higher.

    Raises:
        ShapeError: one of the two is not (n,), or is empty.
        NonFiniteError: there is a NaN.

    Example:
        >>> auroc(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0]))
        0.875

    Source: Mann, Whitney 1947; Hanley, McNeil 1982.
    """
    require_tensors(usual=usual, odd=odd)
    for name, values in (("usual", usual), ("odd", odd)):
        if values.ndim != 1 or not len(values):
            raise ShapeError(f"{name} has shape {tuple(values.shape)}; expected (n,), n >= 1")
        if bool(values.isnan().any()):
            raise NonFiniteError(f"{name} holds NaN at {int(values.isnan().int().argmax())}")
    ordered = usual.sort().values
    odd = odd.contiguous()
    below, up_to = (torch.searchsorted(ordered, odd, right=right) for right in (False, True))
    return float((below + up_to).double().mean() / (2 * len(usual)))
