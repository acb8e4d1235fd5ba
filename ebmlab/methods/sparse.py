"""Recipes in which z is sparse."""

import torch
from torch import Tensor

from ebmlab.energies import (
    Reconstruction,
)
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import L1, Proximal
from ebmlab.networks import Dictionary
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["sparse_coding"]


def sparse_coding(
    atoms: Tensor,
    weight: float = 1.0,
    *,
    nonnegative: bool = False,
    steps: int = 500,
    tolerance: float | None = 1e-3,
    compile: bool = False,
) -> Method:
    """Sparse coding: F(y) = min over z of ‖D z - y‖² + λ ‖z‖₁, the columns of D of length one.

    The sparsity of z, which a unit column cannot buy off, prevents collapse. Codes are
    `method.energy.posterior(None, y).atoms[0]`.

    Args:
        atoms: the first columns of D, (k, dim), such as k different data.
        weight: λ.
        nonnegative: whether z >= 0 as well.
        steps: the most proximal-gradient steps of a code.
        tolerance: where they stop, see `Proximal`.
        compile: compile the steps, for many batches of one shape.

    Source: Olshausen, Field 1996; Beck, Teboulle 2009.
    """
    penalty = L1(weight, nonnegative=nonnegative)
    energy = Reconstruction(Dictionary(atoms), prior=penalty, takes_x=False)
    start = torch.zeros(1, len(atoms), dtype=atoms.dtype, device=atoms.device)
    infer = Proximal(start, steps=steps, tolerance=tolerance, compile=compile)
    return Method(FreeEnergy(energy, infer), Regularized())
