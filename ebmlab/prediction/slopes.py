"""How steep an energy is at data."""

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, require_counts
from ebmlab._kinds import require_real
from ebmlab._rows import norms
from ebmlab.energy import Energy
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.prediction.candidates import require_apart
from ebmlab.protocols import Method

__all__ = ["slope_norms"]


def slope_norms(method: Method | Energy, data: Tensor, *, chunk: int = 1024) -> Tensor:
    """‖∂E/∂y‖ at each datum, (n,), the length of the score of an energy of y alone.

    Usual data lie in wells, where the energy is flat; what lies on a slope is odd even where the
    energy is low. It asks for no log Z and no offset. Nothing is left on parameters.

    Args:
        method: a method or its energy, of y alone or with x None allowed, in evaluation mode
            where it normalizes over batches.
        data: y, (n, *event), floating point.
        chunk: how many data at a time.

    Raises:
        ShapeError: data are not (n, *event).
        ConfigurationError: the energy couples the rows of a batch.
        NonFiniteError: a slope is NaN.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> slope_norms(Gaussian(torch.zeros(2), torch.eye(2)), torch.tensor([[3.0, 4.0]]))
        tensor([5.])

    Source: Grathwohl et al. 2020, arXiv:1912.03263 (approximate mass).
    """
    energy = method.energy if isinstance(method, Method) else method
    require_apart(energy)
    require_real(data=data)
    require_counts(chunk=chunk)
    if len(leading_shape("data", data, energy.y_ndim)) != 1:
        raise ShapeError(f"data has shape {tuple(data.shape)}; expected (n, *event)")
    u = energy.given()
    found = torch.cat([norms(u.value_and_grad(part)[1]) for part in data.split(chunk)])
    if bool(found.isnan().any()):
        row = int(found.isnan().int().argmax())
        raise NonFiniteError(f"the slope at datum {row} is NaN; look at data[{row}]")
    return found.detach()
