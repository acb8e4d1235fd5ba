"""The exact negative log-likelihood of an energy whose log Z is known."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_rows
from ebmlab.partition import Estimate
from ebmlab.types import as_potential

__all__ = ["nll"]


@torch.no_grad()
def nll(
    u: Callable[[Tensor], Tensor], y: Tensor, log_z: Estimate | Tensor | float, chunk: int = 2**14
) -> Tensor:
    """-mean log p(y) = mean u(y) + log Z, in nats; bits per dimension are nats / (d log 2).

    Args:
        u: a potential of y (n, *event), such as `energy.given()`.
        y: held-out data (n, *event).
        log_z: of `ebmlab.partition`: by quadrature in the plane, by enumeration, or an estimate,
            whose error is that of the result.
        chunk: how many y at a time.

    Returns:
        A float64 scalar.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> nll(energy.given(), torch.zeros(4, 2), energy.log_z)
        tensor(1.8379, dtype=torch.float64)
    """
    require_counts(chunk=chunk)
    require_rows("y", y)
    u = as_potential(u)
    total = torch.cat([u(part).double() for part in y.split(chunk)])
    known = log_z.log_z if isinstance(log_z, Estimate) else torch.as_tensor(log_z)
    return total.mean() + known.to(total)
