import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from problems import F64, randn
from torch import Tensor

from ebmlab import Method
from ebmlab.data import digits


def blobs() -> Tensor:
    """Four clouds of different shapes in the plane, 240 points."""
    centers = torch.tensor([[-4.0, 0.0], [0.0, 3.0], [4.0, -1.0], [0.0, -4.0]], dtype=F64)
    scales = torch.tensor([[0.5, 1.5], [1.0, 1.0], [1.5, 0.5], [0.8, 0.8]], dtype=F64)
    return (centers + scales * randn(60, 4, 2, seed=1)).reshape(-1, 2)


def flat_digits(n: int = 1797) -> Tensor:
    """Real digits as vectors (n, 64)."""
    return digits()[0][:n].flatten(1).to(F64)


def commits(method: Method, y: Tensor, steps: int, size: int | None = None) -> list[float]:
    """The loss before each commit; batches in order."""
    values = []
    for _ in range(steps):
        for part in y.split(size or len(y)):
            loss = method(None, part)
            values.append(float(loss.value))
            loss.commit()
    return values


@contextmanager
def unconverged() -> Iterator[None]:
    """Scikit-learn warns where it is stopped on purpose."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
