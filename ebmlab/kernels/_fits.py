"""What a kernel asks of its tensors, and whether Triton takes them."""

import torch
from torch import Tensor

from ebmlab._tracing import tracing
from ebmlab.errors import DeviceError, DtypeError, ShapeError

__all__ = ["require_alike", "require_stream", "runs_fused"]


def require_alike(name: str, t: Tensor, like: str, other: Tensor) -> None:
    """Raise unless two tensors share shape, type and device."""
    if t.shape != other.shape:
        raise ShapeError(
            f"{name} has shape {tuple(t.shape)}, {like} {tuple(other.shape)}; they must be equal"
        )
    if t.dtype != other.dtype:
        raise DtypeError(f"{name} is {t.dtype}, {like} {other.dtype}; convert one with .to(dtype)")
    if t.device != other.device:
        raise DeviceError(
            f"{name} is on {t.device}, {like} on {other.device}; move one with .to()"
        )


def require_stream(name: str, seeds: Tensor, ndim: int, y: Tensor) -> None:
    """Raise unless these are int64 seeds on y's device: one, 0-d, or one for each step, 1-d."""
    if seeds.ndim != ndim:
        shape = "()" if ndim == 0 else "(steps,)"
        raise ShapeError(f"{name} has shape {tuple(seeds.shape)}; it must be {shape}")
    if seeds.dtype != torch.int64:
        raise DtypeError(f"{name} is {seeds.dtype}; it must be int64, as `fresh_seeds` gives")
    if seeds.device != y.device:
        raise DeviceError(f"{name} is on {seeds.device}, y on {y.device}; move one with .to()")


def runs_fused(y: Tensor) -> bool:
    """Whether Triton takes y, float32 on CUDA; what is traced, the compiler fuses itself."""
    return y.is_cuda and y.dtype == torch.float32 and not tracing()
