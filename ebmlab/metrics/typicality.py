"""How far an energy is from that of usual data, on either side."""

import torch
from torch import Tensor

from ebmlab._kinds import require_real
from ebmlab.errors import NonFiniteError, ShapeError

__all__ = ["typicality"]


@torch.no_grad()
def typicality(usual: Tensor, energies: Tensor) -> Tensor:
    """|E - mean of E over usual data|: high where an energy is too high *or* too low.

    In many dimensions data do not lie where the density is highest: of N(0, I) in d dimensions
    their energies are d/2 ± √(d/2), while that of the mode is 0. What is far below all data is
    as odd as what is far above. `auroc` says how well the numbers tell odd data from usual ones.

    Args:
        usual: energies of usual data that did not train the model, (n,), finite.
        energies: those to judge, (m,); infinite ones are infinitely odd.

    Returns:
        (m,), in the units of the energies.

    Raises:
        ShapeError: one of the two is not one-dimensional, or `usual` is empty.
        NonFiniteError: `usual` is not finite, or an energy is NaN.

    Example:
        >>> typicality(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 5.0, -1.0]))
        tensor([0., 3., 3.])

    Source: Nalisnick et al. 2019, arXiv:1906.02994, for one datum at a time.
    """
    require_real(usual=usual, energies=energies)
    for name, values in (("usual", usual), ("energies", energies)):
        if values.ndim != 1:
            raise ShapeError(f"{name} has shape {tuple(values.shape)}; expected (n,)")
    if not len(usual):
        raise ShapeError("usual has shape (0,); the energies of some usual data are needed")
    if not bool(usual.isfinite().all()):
        raise NonFiniteError(f"usual {tuple(usual.shape)} holds NaN or infinity; it has no mean")
    if bool(energies.isnan().any()):
        raise NonFiniteError(f"energies holds NaN at {int(energies.isnan().int().argmax())}")
    return (energies.double() - usual.double().mean()).abs().to(energies.dtype)
