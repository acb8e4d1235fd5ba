"""What a formula means where it has a limit or a kink: 0 · ∞, and the slope at a bound."""

from torch import Tensor

__all__ = ["bounded", "weighed"]


def bounded(t: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """min(high, max(low, t)), whose slope at a bound itself is 1, as inside.

    A state that lies exactly on the kink of a loss, as equal energies do, is pushed on.
    `torch.clamp` has slope 1 there up to torch 2.13 and slope 0 from 2.14 on.

    Example:
        >>> import torch
        >>> bounded(torch.tensor([-1.0, 0.5, 3.0]), low=0.0, high=2.0)
        tensor([0.0000, 0.5000, 2.0000])
    """
    if low is not None:
        t = t.masked_fill(t < low, low)
    return t if high is None else t.masked_fill(t > high, high)


def weighed(weight: Tensor, t: Tensor) -> Tensor:
    """w t, where a weight of 0 makes an infinite t count 0 and pass no gradient.

    Example:
        >>> import torch
        >>> weighed(torch.tensor([0.0, 2.0]), torch.tensor([-torch.inf, 3.0]))
        tensor([0., 6.])
    """
    return weight * t.masked_fill((weight == 0) & t.isinf(), 0.0)
