"""The Langevin update with noise made in the kernel."""

from torch import Tensor

from ebmlab.errors import DtypeError
from ebmlab.kernels._fits import require_alike, require_stream, runs_fused
from ebmlab.kernels.threefry import normals

__all__ = ["langevin_update"]


def langevin_update(
    y: Tensor,
    grad: Tensor,
    seed: Tensor,
    step_size: float | Tensor,
    temperature: float | Tensor = 1.0,
    *,
    clamp: float | None = None,
) -> Tensor:
    """y' = y - ε g + √(2εT) ξ, with ξ ~ N(0, 1) made where it is used: 12 bytes per element.

    On float32 CUDA tensors one Triton kernel does it; anywhere else plain torch does, with the
    same numbers.

    Args:
        y: where the chains are, (chains, *event).
        grad: g, of y's shape and type.
        seed: of the step, a 0-d int64 tensor on y's device; ξ are its first normals.
        step_size: ε, a number or a 0-d tensor on y's device, as the next.
        temperature: T.
        clamp: a bound c of each entry of the gradient, which becomes max(-c, min(c, g)).

    Raises:
        ShapeError, DtypeError, DeviceError: y, grad and seed do not fit together.

    Example:
        >>> import torch
        >>> y = torch.zeros(1, 3)
        >>> langevin_update(y, torch.ones(1, 3), torch.tensor(7), 0.1, temperature=0.0)
        tensor([[-0.1000, -0.1000, -0.1000]])

    Source: Parisi 1981; Salmon, Moraes, Dror, Shaw 2011 (the counters).
    """
    if not y.is_floating_point():
        raise DtypeError(f"y has dtype {y.dtype}; convert it with .float()")
    require_alike("grad", grad, "y", y)
    require_stream("seed", seed, 0, y)
    if runs_fused(y):
        from ebmlab.kernels import update_triton

        return update_triton.langevin(y, grad, seed, step_size, temperature, clamp)
    if clamp is not None:
        grad = grad.clamp(-clamp, clamp) + 0 * grad
    size = (2 * step_size * temperature) ** 0.5
    return y - step_size * grad + size * normals(seed, y)
