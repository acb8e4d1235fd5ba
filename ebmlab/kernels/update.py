"""Fused updates with noise made in the kernel: Langevin, and half a leapfrog step.

On float32 CUDA tensors one Triton kernel does each; anywhere else, while the compiler traces, and
for step sizes that are tensors, plain torch does the same with the same random numbers.
"""

from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab.errors import DtypeError
from ebmlab.kernels.philox import normals, require_alike, require_stream, runs_fused

__all__ = ["kick_drift", "langevin_update", "refreshed_kick_drift"]


def langevin_update(
    y: Tensor,
    grad: Tensor,
    seed: Tensor,
    step_size: float | Tensor,
    temperature: float | Tensor = 1.0,
    *,
    clamp: float | None = None,
    offset: int = 0,
) -> Tensor:
    """y' = y - ε g + √(2εT) ξ, with ξ ~ N(0, 1) made where it is used: 12 bytes per element.

    Args:
        y: where the chains are, any shape.
        grad: g, of y's shape and type.
        seed: a 0-d int64 tensor on y's device; one seed serves many updates at other offsets.
        step_size: ε.
        temperature: T.
        clamp: a bound c of each entry of the gradient, which becomes max(-c, min(c, g)).
        offset: the first of the ⌈n / 4⌉ counters that n elements use up.

    Raises:
        ShapeError, DtypeError, DeviceError: y, grad and seed do not fit together.
        ConfigurationError: the offset is negative.

    Example:
        >>> import torch
        >>> y = torch.zeros(3)
        >>> langevin_update(y, torch.ones(3), torch.tensor(7), 0.1, temperature=0.0)
        tensor([-0.1000, -0.1000, -0.1000])

    Source: Salmon, Moraes, Dror, Shaw 2011 (the counters).
    """
    _require_floats(y, grad=grad)
    require_stream(seed, y)
    require_non_negative("offset", offset)
    size = (2 * step_size * temperature) ** 0.5
    if runs_fused(y) and isinstance(step_size, float) and isinstance(size, float):
        from ebmlab.kernels import update_triton

        return update_triton.langevin(y, grad, seed, step_size, size, clamp, offset)
    if clamp is not None:
        grad = grad.clamp(-clamp, clamp)
    return y - step_size * grad + size * normals(seed, y, offset)


def kick_drift(
    y: Tensor, momentum: Tensor, grad: Tensor, step_size: float
) -> tuple[Tensor, Tensor]:
    """The first half of a leapfrog step: r' = r - ε/2 g, y' = y + ε r'; returns (y', r').

    What is left is a kick, `torch.add(r, g, alpha=-ε / 2)`, which is one kernel as it is.

    Example:
        >>> import torch
        >>> kick_drift(torch.zeros(2), torch.ones(2), torch.zeros(2), 0.5)[0]
        tensor([0.5000, 0.5000])

    Source: Duane et al. 1987.
    """
    _require_floats(y, momentum=momentum, grad=grad)
    if runs_fused(y):
        from ebmlab.kernels import update_triton

        return update_triton.kick_drift(y, momentum, grad, step_size)
    momentum = momentum - 0.5 * step_size * grad
    return y + step_size * momentum, momentum


def refreshed_kick_drift(
    y: Tensor, grad: Tensor, seed: Tensor, step_size: float, *, offset: int = 0
) -> tuple[Tensor, Tensor]:
    """`kick_drift` from a fresh momentum r ~ N(0, 1) that never visits memory; (y', r').

    The kinetic energy at the start is that of r = r' + ε/2 g. Seed and offset are as in
    `langevin_update`.

    Example:
        >>> import torch
        >>> zero = torch.zeros(2)
        >>> y, momentum = refreshed_kick_drift(zero, zero, torch.tensor(7), 0.5)
        >>> torch.equal(y, 0.5 * momentum)
        True

    Source: Duane et al. 1987.
    """
    _require_floats(y, grad=grad)
    require_stream(seed, y)
    require_non_negative("offset", offset)
    if runs_fused(y):
        from ebmlab.kernels import update_triton

        return update_triton.refreshed_kick_drift(y, grad, seed, step_size, offset)
    return kick_drift(y, normals(seed, y, offset), grad, step_size)


def _require_floats(y: Tensor, **named: Tensor) -> None:
    if not y.is_floating_point():
        raise DtypeError(f"y has dtype {y.dtype}; convert it with .float()")
    for name, tensor in named.items():
        require_alike(name, tensor, "y", y)
