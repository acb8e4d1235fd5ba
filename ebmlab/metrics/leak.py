"""What z tells of y beyond x."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab._kinds import require_tensors
from ebmlab.errors import ShapeError
from ebmlab.metrics.populations import population, standardized
from ebmlab.metrics.probe import fit_logistic
from ebmlab.metrics.probes import rest, split
from ebmlab.metrics.regression import ridge, share_explained

__all__ = ["Leak", "leak"]


class Leak(NamedTuple):
    """What `leak` finds, on held-out rows: nats for classes of y, R² for its codes.

    Attributes:
        gain: of knowing z beside x; below 0 where z only adds noise to the regression.
        error: standard error of it over folds.
        shuffled: the gain of z of other rows: what more numbers alone buy, or cost.
        alone: what x alone achieves: mean log p(y | x), or R².
        both: the same for x and z.
    """

    gain: float
    error: float
    shuffled: float
    alone: float
    both: float


def leak(
    x: Tensor, z: Tensor, y: Tensor, *, rng: torch.Generator, folds: int = 5, penalty: float = 1.0
) -> Leak:
    """How much better y is foretold from x and z than from x, cross-validated.

    The regression is linear in x for each z: in x, z, and x ⊗ z; logistic where y are classes,
    ridge where they are codes. A z that tells the class of y beyond x leaks what the code of x
    should hold, or what no action explains.

    Args:
        x: codes (n, d).
        z: what was inferred, (n, k): one-hot codes, posteriors or numbers.
        y: classes (n,), whole numbers, or codes (n, m).
        rng: of the folds.
        folds: at least 2.
        penalty: of both regressions, on standardized numbers.

    Raises:
        ShapeError, DtypeError, DeviceError, NonFiniteError: the tensors do not fit.
        ConfigurationError: fewer than 2 folds.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> x = torch.randn(400, 2, generator=rng)
        >>> z = torch.eye(2)[torch.randint(2, (400,), generator=rng)]
        >>> y = torch.where(z[:, :1] > 0, x, x.flip(1))
        >>> found = leak(x, z, y, rng=rng)
        >>> round(found.alone, 1), round(found.both, 1)
        (0.5, 1.0)
    """
    require_tensors(x=x, z=z, y=y)
    require_device("x", x.device, {"z": z, "y": y})
    x, z = population("x", x).double(), population("z", z).double()
    if not x.shape[:1] == z.shape[:1] == y.shape[:1]:
        raise ShapeError(
            f"x has shape {tuple(x.shape)}, z {tuple(z.shape)}, y {tuple(y.shape)}; one for each"
        )
    judge = _explained
    if y.ndim == 1 and not y.is_floating_point():
        y, judge = y.unique(return_inverse=True)[1], _log_probability
    else:
        y = population("y", y).double()
    parts = [part.to(x.device) for part in split(len(x), folds, rng)]
    other = z[torch.cat(parts).roll(1)]
    known = (x, _bilinear(x, z), _bilinear(x, other))
    each = torch.tensor(
        [
            [judge(h[rest(parts, i)], y[rest(parts, i)], h[p], y[p], penalty) for h in known]
            for i, p in enumerate(parts)
        ],
        dtype=torch.float64,
    )
    gains = each[:, 1] - each[:, 0]
    alone, both, blind = each.mean(0).tolist()
    error = float(gains.std() / folds**0.5)
    return Leak(float(gains.mean()), error, blind - alone, alone, both)


def _bilinear(x: Tensor, z: Tensor) -> Tensor:
    return torch.cat([x, z, (x[:, :, None] * z[:, None]).flatten(1)], 1)


def _explained(h: Tensor, y: Tensor, there: Tensor, due: Tensor, penalty: float) -> float:
    return share_explained(ridge(h, y, there, penalty), due)


def _log_probability(h: Tensor, y: Tensor, there: Tensor, due: Tensor, penalty: float) -> float:
    h, there = standardized(h, there)
    classes = int(torch.maximum(y.max(), due.max())) + 1
    weight, bias = fit_logistic(h, y, classes, penalty)
    logits = there @ weight.mT + bias
    return float(logits.log_softmax(-1).gather(1, due[:, None]).mean())
