"""Exact log Z of binary models: a sum over all states."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ebmlab.energies import RBM, GaussianRBM
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.partition.chunks import log_sum
from ebmlab.partition.estimate import Estimate
from ebmlab.types import as_potential

__all__ = ["binary_states", "enumerate_states", "rbm_log_z"]

# How many sites may be summed over, and of how many all states are laid out at once.
LARGEST, LARGEST_AT_ONCE = 32, 22


def binary_states(event: int | Sequence[int] | Tensor) -> Tensor:
    """All y in {0, 1} of an event, (2^sites, *event).

    Args:
        event: the length or the shape of one y; or such a tensor, whose type and device the
            states take. At most 22 sites.

    Raises:
        ConfigurationError: there are more.

    Example:
        >>> binary_states(2)
        tensor([[0., 0.],
                [1., 0.],
                [0., 1.],
                [1., 1.]])
    """
    like = _one(event, LARGEST_AT_ONCE)
    return _states(torch.arange(2 ** like.numel(), device=like.device), like)


def _one(event: int | Sequence[int] | Tensor, largest: int) -> Tensor:
    like = event if isinstance(event, Tensor) else torch.empty(event)
    sites = like.numel()
    if sites > largest:
        what = f"2^{sites} states, more than 2^{largest}; use ais"
        raise ConfigurationError(f"an event of shape {tuple(like.shape)} has {what}")
    return like


def _states(index: Tensor, like: Tensor) -> Tensor:
    bits = (index[:, None] >> torch.arange(like.numel(), device=like.device)) & 1
    return bits.to(like.dtype).reshape(-1, *like.shape)


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
    like, u = _one(event, LARGEST), as_potential(u)

    def terms(index: Tensor) -> Tensor:
        return -u(_states(index, like))

    log_z = log_sum(terms, 2 ** like.numel(), chunk, like.device)
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
