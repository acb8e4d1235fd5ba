"""Exact log Z of binary models: a sum over all states."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ebmlab.energies import RBM, GaussianRBM
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.partition.chunks import log_sum
from ebmlab.partition.estimate import Estimate
from ebmlab.types import as_potential

__all__ = ["enumerate_states", "rbm_log_z"]

LARGEST = 32


def enumerate_states(
    u: Callable[[Tensor], Tensor], event: int | Sequence[int] | Tensor, *, chunk: int = 2**16
) -> Estimate:
    """log Σ_y exp(-u(y)) over all y in {0, 1} of an event: exact.

    Args:
        u: a potential of y (n, *event).
        event: the length or the shape of one y; or such a tensor, whose type and device the
            states take. At most 32 sites: 2^24 states of an RBM take seconds.
        chunk: how many states at a time.

    Raises:
        ConfigurationError: there are more than 32 sites, or chunk < 1.
        NonFiniteError: an energy is NaN or -∞, or +∞ everywhere.

    Example:
        >>> round(float(enumerate_states(lambda y: torch.zeros(len(y)), (2, 2)).log_z.exp()), 12)
        16.0
    """
    like = event if isinstance(event, Tensor) else torch.empty(event)
    sites = like.numel()
    if sites > LARGEST:
        what = f"2^{sites} states, more than 2^{LARGEST}; use ais"
        raise ConfigurationError(f"an event of shape {tuple(like.shape)} has {what}")
    u, place = as_potential(u), torch.arange(sites, device=like.device)

    def terms(index: Tensor) -> Tensor:
        bits = (index[:, None] >> place) & 1
        return -u(bits.to(like.dtype).reshape(-1, *like.shape))

    log_z = log_sum(terms, 2**sites, chunk, like.device)
    if not bool(log_z.isfinite()):
        what = "u is NaN or -∞ at a state, or +∞ at all of them"
        raise NonFiniteError(f"log Z is {float(log_z)}: {what}")
    return Estimate.exact(log_z)


def rbm_log_z(rbm: RBM | GaussianRBM, *, chunk: int = 2**16) -> Estimate:
    """log Z of an RBM, exact: a sum over its smaller binary side, of at most 32 units.

    Example:
        >>> rbm = RBM(12, 4, std=1.0).double()
        >>> full = enumerate_states(rbm.given(), rbm.visible_bias)
        >>> bool((rbm_log_z(rbm).log_z - full.log_z).abs() < 1e-12)
        True
    """
    visible, hidden = rbm.weights.shape
    if visible < hidden and isinstance(rbm, RBM):
        return enumerate_states(rbm.given(), rbm.visible_bias, chunk=chunk)
    return enumerate_states(rbm.hidden_energy, rbm.hidden_bias, chunk=chunk)
