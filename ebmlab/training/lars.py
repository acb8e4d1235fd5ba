"""An optimizer for very large batches: every weight moves by a share of its own length."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab._checks import require_non_negative, require_positive, require_shares
from ebmlab._precise import precise_type
from ebmlab.errors import ConfigurationError
from ebmlab.training.decayed import decayed

__all__ = ["LARS"]


class LARS(torch.optim.Optimizer):
    """Gradient descent with momentum, each tensor's step a share of the length of its weights.

    λ = trust ‖w‖ / (‖g‖ + decay ‖w‖ + ε),  v ← momentum v + λ (g + decay w),  w ← w - lr v.

    So the share of itself by which a layer changes is the same in all layers, however large its
    gradients are. Where w is 0, λ is 1; where g is 0, λ is 0. The step size stands outside of the
    momentum, as in `torch.optim.SGD` and in the code of SwAV and SEER; the paper has it inside.

    Args:
        params: parameters, of which those of one dimension, biases and norms, neither adapt (λ is
            1) nor decay; or groups of them, each with "lr", "weight_decay" and so on, and
            "adapt", True unless it says False.
        lr: step size > 0.
        momentum: in [0, 1].
        weight_decay: >= 0.
        trust: > 0.
        clip: whether the step is min(λ, lr) in place of λ lr, the variant named LARC.
        eps: ε > 0.

    Raises:
        ConfigurationError: a number is out of its range, or params mixes parameters and groups.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> optimizer = LARS(layer.parameters(), lr=0.1)
        >>> [(group["adapt"], group["weight_decay"]) for group in optimizer.param_groups]
        [(True, 1e-06), (False, 0.0)]
        >>> everything = LARS([{"params": list(layer.parameters())}], lr=0.1)  # as SEER does

    Source: You, Gitman, Ginsburg 2017, arXiv:1708.03888.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 1e-6,
        trust: float = 0.001,
        *,
        clip: bool = False,
        eps: float = 1e-8,
    ) -> None:
        require_positive("lr", lr)
        require_positive("trust", trust)
        require_positive("eps", eps)
        require_non_negative("weight_decay", weight_decay)
        require_shares(momentum=momentum)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "clip": clip,
            "eps": eps,
            "adapt": True,
        }
        super().__init__(_grouped(params, weight_decay), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * self._velocity(p, p.grad, group))
        return loss

    def _velocity(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor:
        way = grad + group["weight_decay"] * p
        if group["adapt"]:
            way = way * _ratio(p, grad, group).to(way.dtype)
        state = self.state[p]
        if not state:
            state["velocity"] = way.clone()
        else:
            state["velocity"].mul_(group["momentum"]).add_(way)
        return state["velocity"]


def _grouped(
    params: Iterable[nn.Parameter] | Iterable[dict[str, Any]], weight_decay: float
) -> list[dict[str, Any]]:
    given = list(params)
    groups: list[dict[str, Any]] = [each for each in given if isinstance(each, dict)]
    alone = [each for each in given if not isinstance(each, dict)]
    if groups and alone:
        raise ConfigurationError(
            f"params holds {len(groups)} groups and {len(alone)} parameters; expected either"
        )
    # The others have one dimension or none.
    return groups or [
        group | {"adapt": group["params"][0].ndim > 1} for group in decayed(alone, weight_decay)
    ]


def _ratio(p: Tensor, grad: Tensor, group: dict[str, Any]) -> Tensor:
    """λ, a 0-d tensor in single precision or better, which no host waits for."""
    kind = precise_type(p.dtype)
    weight, slope = (torch.linalg.vector_norm(t, dtype=kind) for t in (p, grad))
    share = group["trust"] * weight / (slope + group["weight_decay"] * weight + group["eps"])
    if group["clip"]:
        share = (share / group["lr"]).clamp(max=1.0)
    still = torch.zeros_like(share)
    return torch.where(weight > 0, torch.where(slope > 0, share, still), still + 1)
