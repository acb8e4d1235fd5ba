"""Losses of energies: (e_pos (b,), e_neg (b, k)) -> (b,), averaged over the k negatives.

E+ is the energy of the right answer, E- of a wrong one. Which wrong ones are meant is the business
of the negatives; with the most offending one, k = 1, these are the losses of LeCun, Chopra,
Hadsell, Ranzato and Huang 2006, "A tutorial on energy-based learning", table 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_non_negative, require_positive, require_same_kind
from ebmlab._kinds import require_real
from ebmlab._limits import bounded
from ebmlab._precise import precise
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = [
    "LVQ2",
    "HeldDifference",
    "Hinge",
    "InfoNCE",
    "Levels",
    "MarginLoss",
    "SquareExponential",
    "SquareSquare",
    "difference",
    "energy_loss",
    "log_loss",
    "logistic",
    "mce",
    "mee",
    "perceptron",
]

MarginLoss = Callable[[Tensor, Tensor], Tensor]


def _require_energies(e_pos: Tensor, e_neg: Tensor) -> None:
    """Raise unless there is one energy per datum and k >= 1 energies of its negatives."""
    if not torch.compiler.is_compiling():
        require_real(e_pos=e_pos, e_neg=e_neg)
        require_same_kind({"e_pos": e_pos, "e_neg": e_neg})
    if e_pos.ndim != 1 or e_neg.ndim != 2 or e_neg.shape[:1] != e_pos.shape or 0 in e_neg.shape:
        raise ShapeError(
            f"e_pos has shape {tuple(e_pos.shape)}, e_neg {tuple(e_neg.shape)}; they must be (b,) "
            "and (b, k) with b, k >= 1"
        )


def energy_loss(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """E+: pushes down only, so that nothing but the architecture prevents collapse."""
    _require_energies(e_pos, e_neg)
    return e_pos


def perceptron(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """E+ - min(E+, min_k E-): zero once the right answer is the lowest, with no margin."""
    _require_energies(e_pos, e_neg)
    return bounded(e_pos - e_neg.amin(1), low=0)


def log_loss(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """log(1 + exp(E+ - E-)): a hinge with a soft, unending margin."""
    _require_energies(e_pos, e_neg)
    return functional.softplus(e_pos[:, None] - e_neg).mean(1)


def mce(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """Minimum classification error: sigmoid(E+ - E-)."""
    _require_energies(e_pos, e_neg)
    return (e_pos[:, None] - e_neg).sigmoid().mean(1)


def mee(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """Minimum empirical error: 1 - exp(-E+) / Σ exp(-E), the sum over E+ and all E-."""
    _require_energies(e_pos, e_neg)
    return -torch.expm1(-_surprise(e_pos, e_neg))


def difference(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """E+ - E-: with negatives from the model, its gradient is that of the likelihood."""
    _require_energies(e_pos, e_neg)
    return e_pos - e_neg.mean(1)


def logistic(e_pos: Tensor, e_neg: Tensor) -> Tensor:
    """softplus(E+) + softplus(-E-): real against fake, the boundary at energy 0."""
    _require_energies(e_pos, e_neg)
    return functional.softplus(e_pos) + functional.softplus(-e_neg).mean(1)


def _surprise(e_pos: Tensor, e_neg: Tensor, temperature: float = 1.0) -> Tensor:
    """-log softmax(-E / τ) at E+, from differences only: a common offset changes nothing."""
    loss, _ = _Softmax.apply(e_pos, e_neg, temperature)
    return loss


class _Softmax(torch.autograd.Function):
    """-log softmax(-E / τ) at E+ (b,), and softmax(-E / τ) at E- (b, k), the only matrix kept.

    The gradient is that matrix times one number a row, where autograd would keep more matrices
    and take exp again. It is an output, so that the gradient has a gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(e_pos: Tensor, e_neg: Tensor, temperature: float) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        gaps = (precise(e_pos)[:, None] - e_neg).div_(temperature)
        top = gaps.amax(1, keepdim=True).clamp(min=0)
        # An infinite gap is an infinite loss, where softmax would subtract infinities.
        top.masked_fill_(top.isposinf(), 0.0)
        share = gaps.sub_(top).exp_()
        total = share.sum(1, keepdim=True) + (-top).exp()
        return (top + total.log()).squeeze(1), share.div_(total)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        *_, ctx.temperature = inputs
        ctx.save_for_backward(output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        (share,), (grad, along) = ctx.saved_tensors, grads
        row = torch.zeros_like(share[:, 0]) if grad is None else -grad
        if along is None:
            slope = share * (row / ctx.temperature)[:, None]
        else:
            row = row + (share * along).sum(1)
            slope = share * (row[:, None] - along) / ctx.temperature
        return -slope.sum(1), slope, None


@dataclass(frozen=True)
class Hinge:
    """max(0, m + E+ - E-): zero once the negatives are a margin m above.

    Example:
        >>> Hinge(1.0)(torch.tensor([0.0]), torch.tensor([[0.25, 2.0]]))
        tensor([0.3750])
    """

    margin: float = 1.0

    def __post_init__(self) -> None:
        require_positive("margin", self.margin)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        _require_energies(e_pos, e_neg)
        return bounded(self.margin + e_pos[:, None] - e_neg, low=0).mean(1)


@dataclass(frozen=True)
class LVQ2:
    """min(M, max(0, E+ - E-)): a perceptron that gives up on outliers."""

    ceiling: float = 1.0

    def __post_init__(self) -> None:
        require_positive("ceiling", self.ceiling)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        _require_energies(e_pos, e_neg)
        return bounded(e_pos[:, None] - e_neg, low=0, high=self.ceiling).mean(1)


@dataclass(frozen=True)
class SquareSquare:
    """(E+)² + max(0, m - E-)²: for energies that are distances, positive ones.

    Source: Hadsell, Chopra, LeCun 2006; LeCun et al. 2006, equation 17 (the table prints a minus).
    """

    margin: float = 1.0

    def __post_init__(self) -> None:
        require_positive("margin", self.margin)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        _require_energies(e_pos, e_neg)
        return e_pos.square() + bounded(self.margin - e_neg, low=0).square().mean(1)


@dataclass(frozen=True)
class Levels:
    """max(0, E+ - low) + max(0, high - E-): zero once data are below and negatives above.

    Of energies >= 0 it is E+ + max(0, m - E-), the linear kin of square-square, with low 0 and
    high m, the critic of EBGAN. With low -1 and high 1 it is the hinge of later critics.

    Example:
        >>> Levels(0.0, 2.0)(torch.tensor([0.5]), torch.tensor([[1.5, 3.0]]))
        tensor([0.7500])

    Source: Zhao, Mathieu, LeCun 2016, arXiv:1609.03126; Lim, Ye 2017, arXiv:1705.02894.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ConfigurationError(
                f"low is {self.low}, high {self.high}; they must be finite, and low < high"
            )

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        _require_energies(e_pos, e_neg)
        return bounded(e_pos - self.low, low=0) + bounded(self.high - e_neg, low=0).mean(1)


@dataclass(frozen=True)
class SquareExponential:
    """(E+)² + β exp(-E-): a push that weakens with height but never ends."""

    beta: float = 1.0

    def __post_init__(self) -> None:
        require_non_negative("beta", self.beta)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        _require_energies(e_pos, e_neg)
        return e_pos.square() + self.beta * (-e_neg).exp().mean(1)


@dataclass(frozen=True)
class HeldDifference:
    """E+ - E- + α ((E+)² + (E-)²): the difference, with energies held near 0.

    Source: Du, Mordatch 2019, arXiv:1903.08689.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        require_non_negative("alpha", self.alpha)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,)."""
        apart = difference(e_pos, e_neg)
        return apart + self.alpha * (e_pos.square() + e_neg.square().mean(1))


@dataclass(frozen=True)
class InfoNCE:
    """-log [exp(-E+ / τ) / Σ exp(-E / τ)], the sum over E+ and all E-.

    For a learned temperature leave τ at 1 and temper the energy: `energy / T` with a Parameter T.

    Example:
        >>> InfoNCE()(torch.zeros(1), torch.zeros(1, 3)).exp()
        tensor([4.])

    Source: van den Oord, Li, Vinyals 2018, arXiv:1807.03748.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        require_positive("temperature", self.temperature)

    def __call__(self, e_pos: Tensor, e_neg: Tensor) -> Tensor:
        """The loss (b,), in nats."""
        _require_energies(e_pos, e_neg)
        return _surprise(e_pos, e_neg, self.temperature)
