"""Optimizers whose weight decay spares biases and norms, and one for matrices."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ebmlab._checks import require_non_negative
from ebmlab.training.players import Players

__all__ = ["decayed", "muon"]


def decayed(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Groups of parameters for an optimizer: weights, which decay, and the others, which do not.

    Biases, scales of normalizations, tokens and temperatures have one dimension or none. Decay
    would pull them to 0, where it regularizes nothing.

    Args:
        parameters: of a method.
        weight_decay: of those with two dimensions or more, >= 0.

    Raises:
        ConfigurationError: weight_decay is negative.

    Example:
        >>> groups = decayed(nn.Linear(3, 2).parameters(), 0.05)
        >>> [(len(group["params"]), group["weight_decay"]) for group in groups]
        [(1, 0.05), (1, 0.0)]
        >>> optimizer = torch.optim.AdamW(groups, lr=1e-3)

    Source: He et al. 2019, arXiv:1812.01187.
    """
    require_non_negative("weight_decay", weight_decay)
    every = list(parameters)
    weights = [p for p in every if p.ndim > 1]
    others = [p for p in every if p.ndim <= 1]
    both = ((weights, weight_decay), (others, 0.0))
    return [{"params": part, "weight_decay": decay} for part, decay in both if part]


def muon(
    parameters: Iterable[nn.Parameter], lr: float = 1e-3, weight_decay: float = 0.0
) -> Players:
    """Muon for matrices, whose steps are made orthogonal, and AdamW for all else.

    Steps of matrices are scaled to those of AdamW, so that one step size serves both.

    Args:
        parameters: of a method; some must be matrices.
        lr: of both.
        weight_decay: of parameters with two dimensions or more.

    Raises:
        ConfigurationError: there is no matrix.

    Example:
        >>> optimizer = muon(nn.Linear(3, 2).parameters())
        >>> [type(part).__name__ for part in optimizer.optimizers]
        ['Muon', 'AdamW']

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers"; Liu et al. 2025,
    arXiv:2502.16982 (the scale).
    """
    every = list(parameters)
    matrices = [p for p in every if p.ndim == 2]
    rest = [p for p in every if p.ndim != 2]
    parts: list[torch.optim.Optimizer] = []
    if matrices:
        how: dict[str, Any] = {"weight_decay": weight_decay, "adjust_lr_fn": "match_rms_adamw"}
        parts.append(torch.optim.Muon(matrices, lr=lr, **how))
    if rest:
        parts.append(torch.optim.AdamW(decayed(rest, weight_decay), lr=lr))
    return Players(*parts)
