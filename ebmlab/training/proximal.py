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
        params: parameters, or groups of them with an "lr" and a "penalty" each.
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
        groups: list[dict[str, Any]] = [
            each if isinstance(each, dict) else {"params": [each]} for each in params
        ]
        # Beside the groups, whose entries are numbers that a checkpoint holds.
        self.penalties: list[Penalty | None] = [group.get("penalty", penalty) for group in groups]
        for found in self.penalties:
            if found is not None:
                require_a(Penalty, "penalty", found, "inference.L1(weight)")
        plain = [{k: v for k, v in group.items() if k != "penalty"} for group in groups]
        super().__init__(plain, {"lr": lr, "accelerated": accelerated})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of every parameter that has a gradient."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group, penalty in zip(self.param_groups, self.penalties, strict=True):
            for p in group["params"]:
                if p.grad is not None:
                    new = p - group["lr"] * p.grad
                    if penalty is not None:
                        new = penalty.prox(new.reshape(1, -1), group["lr"]).reshape(p.shape)
                    p.copy_(self._ahead(p, new) if group["accelerated"] else new)
        return loss

    def _ahead(self, p: Tensor, new: Tensor) -> Tensor:
        """Past the new point, in the direction from the one before it."""
        state = self.state[p]
        if not state:
            state["last"], state["step"] = p.clone(), torch.zeros(())
        state["step"] += 1
        ahead = (state["step"] - 1) / (state["step"] + 2)
        point = new + ahead.to(new) * (new - state["last"])
        state["last"].copy_(new)
        return point
