"""Multinomial logistic regression on the CPU: products in float32, all that adds up in float64."""

import warnings

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["fit_logistic_cpu"]

# Those of scikit-learn's LogisticRegression.
OPTIONS = {"maxiter": 2000, "maxls": 50, "gtol": 1e-4, "ftol": 64 * torch.finfo(torch.double).eps}

# What L-BFGS-B returns where its line search finds nothing lower.
_STUCK = 2


def fit_logistic_cpu(
    codes: Tensor, index: Tensor, classes: int, penalty: float
) -> tuple[Tensor, Tensor]:
    """Weights (k, d), biases (k,), float64, that minimize ½ penalty ‖W‖² + Σ cross-entropy.

    The steps are those of scikit-learn: L-BFGS-B from 0, and k = 1 for two classes, whose logit is
    that of the second. Products with codes, of the order of 1, are in float32, which leaves 1e-7
    of a gradient that has to fall to 1e-4; where that holds L-BFGS-B up, it goes on in float64.

    Args:
        codes: (n, d), float64, standardized.
        index: (n,), the class of each, from 0.
        classes: at least 2.
        penalty: > 0.
    """
    from scipy.optimize import minimize

    rows = classes if classes > 2 else 1
    flat = torch.zeros(rows * (codes.shape[1] + 1), dtype=torch.float64).numpy()
    for dtype in (torch.float32, torch.float64):
        mean = _Mean(codes.to(dtype), index, rows, penalty / len(codes))
        found = minimize(mean, flat, jac=True, method="L-BFGS-B", options=OPTIONS)
        flat = found.x
        if found.status != _STUCK:
            break
    if not found.success:
        told = f"the probe stopped before its minimum ({found.message}): raise the penalty"
        warnings.warn(told, stacklevel=4)
    weight = torch.from_numpy(flat).view(rows, -1)
    return weight[:, :-1], weight[:, -1]


class _Mean:
    """The mean loss and its gradient as a function of [W, b], flat."""

    def __init__(self, codes: Tensor, index: Tensor, rows: int, penalty: float) -> None:
        self.codes, self.index, self.rows, self.penalty = codes, index, rows, penalty

    def __call__(self, flat):  # noqa: ANN001, ANN204 (NumPy's arrays, as SciPy hands them)
        both = torch.from_numpy(flat).view(self.rows, -1)
        weight = both[:, :-1]
        logits = (self.codes @ weight.mT.to(self.codes)).double() + both[:, -1]
        loss, slope = self._several(logits) if self.rows > 1 else self._two(logits)
        grad = torch.empty_like(both)
        grad[:, :-1] = (slope.mT.to(self.codes) @ self.codes).double() + self.penalty * weight
        grad[:, -1] = slope.sum(0)
        return float(loss + 0.5 * self.penalty * weight.square().sum()), grad.flatten().numpy()

    def _several(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        log_p, index = logits.log_softmax(1), self.index[:, None]
        slope = log_p.exp().scatter_add_(1, index, -torch.ones_like(log_p[:, :1]))
        return -log_p.gather(1, index).mean(), slope / len(logits)

    def _two(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        one = self.index[:, None].to(logits)
        loss = functional.binary_cross_entropy_with_logits(logits, one)
        return loss, (logits.sigmoid() - one) / len(logits)
