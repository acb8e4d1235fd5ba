"""The energy score: what a set of answers is worth where the truth comes to be known."""

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab._kinds import require_real
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError

__all__ = ["energy_score"]


@torch.no_grad()
def energy_score(draws: Tensor, truth: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """How far draws lie from the truth, less half of how far they lie from each other: (n,).

        E‖Y - y‖ - ½ E‖Y - Y'‖,   Y, Y' ~ P independent

    Lower is better, and in the mean nothing does better than the law of y itself: neither the mean
    of all answers, nor answers that are too far apart. In one dimension it is the CRPS; for a
    point P it is the distance. Without weights the draws are a sample of P, and the estimate is
    unbiased for any k; with weights they are P itself, atoms and their probabilities.

    Args:
        draws: Y (k, n, *event), k independent ones for each datum, k >= 2; or k >= 1 atoms.
        truth: y (n, *event).
        weights: (k,) or (k, n), not negative, of sum 1 over k.

    Raises:
        ShapeError: draws and truth do not fit.
        NonFiniteError: a draw, a truth or a weight is NaN or infinite.
        ConfigurationError: there is one draw without a weight; weights do not sum to 1.

    Example:
        >>> draws = torch.tensor([[[0.0]], [[2.0]]])
        >>> energy_score(draws, torch.tensor([[1.0]]))  # 1 - ½ · 2
        tensor([0.], dtype=torch.float64)
        >>> energy_score(draws, torch.tensor([[1.0]]), weights=torch.tensor([0.5, 0.5]))
        tensor([0.5000], dtype=torch.float64)

    Source: Gneiting, Raftery 2007, "Strictly proper scoring rules, prediction, and estimation".
    """
    _require_fit(draws, truth)
    k, n = draws.shape[:2]
    points, aim = (t.detach().reshape(*t.shape[:lead], -1) for t, lead in ((draws, 2), (truth, 1)))
    if weights is None:
        if k < 2:
            raise ConfigurationError(
                f"draws {tuple(draws.shape)} hold one for each datum; the distance between two "
                "draws is part of the score: draw more, or pass weights=torch.ones(1) for a point"
            )
        share, pair = points.new_full((k, n), 1 / k).double(), 2 / (k * (k - 1))
    else:
        share, pair = _shares(weights, k, n), None
    score = torch.zeros(n, dtype=torch.float64, device=draws.device)
    for i in range(k):
        score += share[i] * (points[i] - aim).double().norm(dim=-1)
        for j in range(i):
            apart = (points[i] - points[j]).double().norm(dim=-1)
            both = 2 * share[i] * share[j] if pair is None else pair
            score -= 0.5 * both * apart
    return score


def _require_fit(draws: Tensor, truth: Tensor) -> None:
    require_real(draws=draws, truth=truth)
    if draws.ndim < 2 or draws.shape[1:] != truth.shape or 0 in draws.shape:
        raise ShapeError(
            f"draws has shape {tuple(draws.shape)}, truth {tuple(truth.shape)}; expected "
            "(k, n, *event) and (n, *event), not empty"
        )
    require_device("draws", draws.device, {"truth": truth})
    for name, t in (("draws", draws), ("truth", truth)):
        if not bool(t.isfinite().all()):
            raise NonFiniteError(f"{name} {tuple(t.shape)} holds NaN or infinity")


def _shares(weights: Tensor, k: int, n: int) -> Tensor:
    require_real(weights=weights)
    if weights.shape not in {(k,), (k, n)}:
        raise ShapeError(
            f"weights has shape {tuple(weights.shape)}; expected ({k},), or ({k}, {n}): one for "
            "each atom"
        )
    share = weights.detach().double()
    slack = 1e-5
    if not bool(((share >= 0).all(0) & ((share.sum(0) - 1).abs() < slack)).all()):
        raise ConfigurationError(
            f"weights sum to {share.sum(0).flatten()[0]:.4g}, or one is negative; they are "
            "probabilities, of sum 1 over the first dimension"
        )
    return share.expand(n, k).mT if weights.ndim == 1 else share
