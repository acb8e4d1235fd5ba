"""Comparisons that say which law broke, what was expected and what came."""

import torch
from torch import Tensor

__all__ = ["require", "require_close", "require_same", "same"]

ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4}


def require(holds: bool | Tensor, law: str, message: str) -> None:
    """Raise unless the law holds."""
    if not holds:
        raise AssertionError(f"{law}: {message}")


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors agree bit for bit, NaN with NaN."""
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    return bool(((a == b) | ((a != a) & (b != b))).all())


def require_same(law: str, what: str, got: Tensor, expected: Tensor) -> None:
    """Raise unless two tensors agree bit for bit."""
    require(same(got, expected), law, f"{what}: expected {_show(expected)}, got {_show(got)}")


def require_close(
    law: str, what: str, got: Tensor, expected: Tensor, tolerance: float | None = None
) -> None:
    """Raise unless two tensors agree to a tolerance, relative and absolute; None: to rounding."""
    if tolerance is None:
        tolerance = ROUNDING.get(expected.dtype, 1e-4)
    fits = got.shape == expected.shape
    close = fits and torch.allclose(got, expected, tolerance, tolerance)
    require(close, law, f"{what}: expected {_show(expected)}, got {_show(got)}")


def _show(tensor: Tensor) -> str:
    numbers = ", ".join(f"{number:.6g}" for number in tensor.detach().flatten()[:6].tolist())
    more = ", …" if tensor.numel() > 6 else ""
    return f"{tuple(tensor.shape)} {tensor.dtype} [{numbers}{more}]"
