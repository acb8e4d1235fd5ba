"""What codes are worth to a regression: the share of the variance of targets that they explain."""

import torch
from torch import Tensor

from ebmlab._checks import require_device, require_positive
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_real
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics.populations import population, standardized

__all__ = ["r_squared", "ridge", "share_explained"]

_CHUNK = 2048


@torch.no_grad()
def r_squared(
    codes: Tensor,
    targets: Tensor,
    test_codes: Tensor,
    test_targets: Tensor,
    k: int | None = None,
    *,
    penalty: float = 1.0,
) -> float:
    """R² = 1 - Σ ‖t - t̂‖² / Σ ‖t - t̄‖² on test data, 1 at best, 0 of the mean, below it if worse.

    t̂ is linear in standardized codes (ridge regression: Σ ‖t - t̂‖² + penalty ‖W‖²), or the mean
    of the k nearest codes. An angle is best told as (cos, sin).

    Args:
        codes: (n, d).
        targets: (n, m) or (n,), floating point.
        test_codes: (n', d).
        test_targets: (n', m) or (n',).
        k: neighbors; None is the ridge regression.
        penalty: > 0.

    Raises:
        ShapeError, DtypeError, DeviceError, NonFiniteError: the tensors do not fit.
        ConfigurationError: k lies outside 1 … n, or the test targets do not vary.

    Example:
        >>> h = torch.linspace(-1, 1, 101)[:, None]
        >>> round(r_squared(h, 2 * h + 1, h, 2 * h + 1, penalty=1e-6), 4)
        1.0
        >>> abs(r_squared(h, h.square(), h, h.square())) < 0.01
        True
        >>> r_squared(h, h.square(), h, h.square(), k=3) > 0.99
        True
    """
    require_positive("penalty", penalty)
    require_real(codes=codes, test_codes=test_codes)
    require_real(targets=targets, test_targets=test_targets)
    require_device("codes", codes.device, {"targets": targets, "test": test_codes})
    h, there = population("codes", codes).double(), population("test_codes", test_codes).double()
    t, due = _targets("targets", targets, h), _targets("test_targets", test_targets, there)
    if h.shape[1] != there.shape[1] or t.shape[1] != due.shape[1]:
        raise ShapeError(
            f"codes {tuple(h.shape)} and test_codes {tuple(there.shape)}, or targets "
            f"{tuple(t.shape)} and test_targets {tuple(due.shape)}, differ in their dimension"
        )
    if k is None:
        return share_explained(ridge(h, t, there, penalty), due)
    if not 1 <= k <= len(h):
        raise ConfigurationError(f"k is {k}, but there are {len(h)} codes; choose 1 <= k <= n")
    near = [squared_distances(p, h).topk(k, largest=False).indices for p in there.split(_CHUNK)]
    return share_explained(t[torch.cat(near)].mean(1), due)


def ridge(h: Tensor, t: Tensor, there: Tensor, penalty: float) -> Tensor:
    """What a ridge regression of t on standardized h foretells at other codes."""
    (h, there), center = standardized(h, there), t.mean(0)
    grid = h.mT @ h + penalty * torch.eye(h.shape[1], dtype=h.dtype, device=h.device)
    return center + there @ torch.linalg.solve(grid, h.mT @ (t - center))


def share_explained(guess: Tensor, t: Tensor) -> float:
    """R² of guesses (n, m)."""
    total = float((t - t.mean(0)).square().sum())
    if total <= 0:
        raise ConfigurationError(f"the {len(t)} test targets are all equal: nothing to explain")
    return 1 - float((t - guess).square().sum()) / total


def _targets(name: str, t: Tensor, codes: Tensor) -> Tensor:
    t = population(name, t[:, None] if t.ndim == 1 else t).double()
    if len(t) != len(codes):
        raise ShapeError(f"{name} has {len(t)} rows, the codes {len(codes)}; one for each")
    return t
