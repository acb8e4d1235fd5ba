"""Populations of codes (n, d) as metrics take them: checked, and in one precision."""

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab._kinds import require_floats, require_tensors
from ebmlab._precise import precise
from ebmlab.errors import DtypeError, NonFiniteError, ShapeError
from ebmlab.types import Tree

__all__ = ["labeled", "population", "standardized"]


def population(name: str, codes: Tensor, least: int = 1) -> Tensor:
    """The codes, detached; raises unless they are (n, d), finite, with n >= `least`."""
    codes = require_floats(name, codes)
    if codes.ndim != 2 or len(codes) < least or codes.shape[1] == 0:
        raise ShapeError(f"{name} has shape {tuple(codes.shape)}; expected (n, d), n >= {least}")
    if not bool(codes.isfinite().all()):
        raise NonFiniteError(f"{name} {tuple(codes.shape)} holds NaN or infinity")
    return codes.detach()


def labeled(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Both populations in one precision, float32 or better, once all four tensors are checked."""
    require_tensors(codes=codes, labels=labels, test_codes=test_codes, test_labels=test_labels)
    given: dict[str, Tree] = {"labels": labels, "test_codes": test_codes}
    require_device("codes", codes.device, {**given, "test_labels": test_labels})
    for name, c, t in (("", codes, labels), ("test_", test_codes, test_labels)):
        population(f"{name}codes", c)
        if t.shape != c.shape[:1]:
            raise ShapeError(
                f"{name}labels has shape {tuple(t.shape)}, but {name}codes {tuple(c.shape)} needs "
                f"({len(c)},)"
            )
        if t.is_floating_point() or t.is_complex():
            raise DtypeError(f"{name}labels has dtype {t.dtype}; labels are integers: .long()")
    if codes.shape[1] != test_codes.shape[1]:
        raise ShapeError(
            f"codes {tuple(codes.shape)} and test_codes {tuple(test_codes.shape)} differ in their "
            "dimension"
        )
    kind = torch.promote_types(precise(codes).dtype, test_codes.dtype)
    return codes.detach().to(kind), test_codes.detach().to(kind)


def standardized(codes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Both scaled by the mean and deviation of the first; what does not vary is not scaled."""
    mean, std = codes.mean(0), codes.std(0, correction=0)
    scale = torch.where(std > 0, std, 1.0)
    return (codes - mean) / scale, (others - mean) / scale
