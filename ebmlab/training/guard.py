"""`Guard`: no step of the optimizer on gradients that are NaN or infinite."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from ebmlab._ranks import decided, local
from ebmlab.errors import NonFiniteError

__all__ = ["Guard"]

NAMED = 5


class Guard:
    """Lets a step pass where the loss and every gradient are finite, and counts where not.

    One maximum over all gradients, which large finite ones do not overflow, and one host sync
    for each step. Ranks decide together: what is not finite on one passes on none.

    Args:
        method: the module whose parameters are watched.
        patience: how many steps in a row may fail, the last of which raises.

    Attributes:
        skipped: how many steps did not pass so far.

    Example:
        >>> import torch
        >>> weight = nn.Linear(1, 1)
        >>> guard = Guard(weight, patience=3)
        >>> loss = weight(torch.tensor([math.inf])).sum()
        >>> loss.backward()
        >>> guard.passes(loss, step=1), guard.skipped
        (False, 1)
    """

    def __init__(self, method: nn.Module, patience: int = 10) -> None:
        self.patience = patience
        self.skipped = 0
        self._row = 0
        self._named = list(method.named_parameters())

    def passes(self, value: Tensor, step: int) -> bool:
        """True where the step may be taken; call it between backward and the optimizer's step.

        Raises:
            NonFiniteError: `patience` steps in a row did not pass; names the parameters.
        """
        grads = list(self._gradients().values())
        most = [value.detach()]
        if grads:
            most.append(get_total_norm(grads, math.inf).to(value.device))
        # On the host, where all of them come at once, it costs less to ask.
        if decided(all(map(math.isfinite, torch.stack(most).tolist()))):
            self._row = 0
            return True
        self.skipped += 1
        self._row += 1
        if self._row >= self.patience:
            raise NonFiniteError(self._complaint(value, step))
        return False

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"skipped": self.skipped, "row": self._row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Count on from there."""
        self.skipped, self._row = state["skipped"], state["row"]

    def _gradients(self) -> dict[str, Tensor]:
        found = {name: local(p.grad) for name, p in self._named if p.grad is not None}
        dense = {n: g.coalesce().values() if g.is_sparse else g for n, g in found.items()}
        return {name: grad for name, grad in dense.items() if grad.numel()}

    def _complaint(self, value: Tensor, step: int) -> str:
        bad = [
            f"{name} {tuple(grad.shape)}"
            for name, grad in self._gradients().items()
            if not grad.isfinite().all()
        ]
        shown = ", ".join(bad[:NAMED]) + f" and {len(bad) - NAMED} more" * (len(bad) > NAMED)
        where = f"the gradient of {shown}" if bad else "the loss, not its gradients,"
        return (
            f"step {step}: {where} is NaN or infinite (loss {float(value.detach())}), and so it "
            f"was in {self.patience} steps in a row, none of which was taken; look for NaN in the "
            "data or the weights, for log, sqrt or a division at 0, or take a smaller step"
        )
