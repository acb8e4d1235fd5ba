"""An optimizer that meets penalties exactly: parameters that are zero, or within bounds."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab._checks import require_positive
from ebmlab._kinds import require_a
from ebmlab.inference import Penalty

__all__ = ["ProximalGradient"]


class ProximalGradient(torch.optim.Optimizer):
    """θ ← prox(θ - lr ∇L(θ), lr): gradient descent on L(θ) + R(θ) with exact zeros for R = L1.

    A penalty in the loss has no slope at its kink, and steps pass over it. The proximal step ends
    on it, and must be as long as the step before: so it is the optimizer's, not the objective's.
    Step sizes may fall; steps per parameter, as Adam takes, would weigh R differently for each.

    Args:
        params: parameters, or groups of them with a "penalty" and an "lr" each.
        lr: step size > 0, at most 1 / the largest curvature of L.
        penalty: R of each parameter's entries in a row, as `inference.L1(0.1)`; None for 0.
        accelerated: Nesterov's momentum, for full batches: the parameters are then the points
            from which steps are taken, and zeros are exact from where they stay.

    Raises:
        ConfigurationError: lr is not positive, or penalty is no `Penalty`.

    Example:
        >>> from ebmlab.inference import L1
        >>> theta = nn.Parameter(torch.tensor([3.0, 0.5]))
        >>> optimizer = ProximalGradient([theta], lr=0.5, penalty=L1(1.0))
        >>> for _ in range(40):
        ...     theta.grad = 2 * (theta.detach() - torch.tensor([2.0, 0.2]))
        ...     optimizer.step()
        >>> theta.detach()
        tensor([1.5000, 0.0000])

    Source: Daubechies, Defrise, De Mol 2004; Beck, Teboulle 2009 (acceleration).
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        penalty: Penalty | None = None,
        accelerated: bool = False,
    ) -> None:
        require_positive("lr", lr)
        super().__init__(params, {"lr": lr, "penalty": penalty, "accelerated": accelerated})
        for group in self.param_groups:
            require_positive("lr", group["lr"])
            if group["penalty"] is not None:
                require_a(Penalty, "penalty", group["penalty"], "inference.L1(weight)")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, group)
        return loss

    def _move(self, p: Tensor, group: dict[str, Any]) -> None:
        new = p - group["lr"] * p.grad  # pyright: ignore[reportOptionalOperand]
        if group["penalty"] is not None:
            new = group["penalty"].prox(new.reshape(1, -1), group["lr"]).reshape(p.shape)
        if not group["accelerated"]:
            p.copy_(new)
            return
        state = self.state[p]
        if not state:
            state["last"], state["step"] = p.clone(), 0
        state["step"] += 1
        ahead = (state["step"] - 1) / (state["step"] + 2)
        p.copy_(new + ahead * (new - state["last"]))
        state["last"].copy_(new)
