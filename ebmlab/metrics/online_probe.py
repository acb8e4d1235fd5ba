"""`OnlineProbe`: a linear classifier that is trained a few steps at a time."""

from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab.errors import ConfigurationError

__all__ = ["OnlineProbe"]

# Adam's decays, and what keeps its steps finite.
_MEAN, _SQUARE, _SMALL = 0.9, 0.999, 1e-8


@final
class OnlineProbe:
    """Softmax of W h + b by Adam on the cross-entropy; made at the first codes, of their width.

    Args:
        classes: how many outputs.
        lr: step size.
        rows: of a step, drawn with replacement.
        seed: of which rows.
    """

    def __init__(self, classes: int, *, lr: float, rows: int, seed: int) -> None:
        self.classes, self.lr, self.rows = classes, lr, rows
        self._rng = torch.Generator().manual_seed(seed)
        self._steps = 0
        # W and b side by side: (classes, d + 1), and Adam's two means of its gradient.
        self._weight: Tensor | None = None
        self._moments: tuple[Tensor, Tensor] | None = None

    def logits(self, codes: Tensor) -> Tensor:
        """(n, d) to (n, classes)."""
        assert self._weight is not None
        return _logits(self._weight, codes)

    def train(self, codes: Tensor, index: Tensor, steps: int) -> None:
        """Take some steps on rows of codes (n, d) with the numbers of their classes (n,)."""
        weight, (mean, square) = self._made(codes)
        for _ in range(steps):
            # Drawn on the host, so that the order is the same on every device.
            rows = torch.randint(len(codes), (self.rows,), generator=self._rng).to(codes.device)
            gradient = _slope(weight, codes[rows], index[rows])
            self._steps += 1
            mean.lerp_(gradient, 1 - _MEAN)
            square.lerp_(gradient.square(), 1 - _SQUARE)
            first, second = (1 - decay**self._steps for decay in (_MEAN, _SQUARE))
            weight -= self.lr * (mean / first) / ((square / second).sqrt() + _SMALL)

    def _made(self, codes: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        width = codes.shape[1] + 1
        if self._weight is None or self._moments is None:
            self._weight = codes.new_zeros(self.classes, width)
            self._moments = (torch.zeros_like(self._weight), torch.zeros_like(self._weight))
        if self._weight.shape[1] != width:
            raise ConfigurationError(
                f"codes have {width - 1} dimensions, and the probe was trained on "
                f"{self._weight.shape[1] - 1}"
            )
        self._weight = self._weight.to(codes)
        self._moments = (self._moments[0].to(codes), self._moments[1].to(codes))
        return self._weight, self._moments

    def state_dict(self) -> dict[str, Any]:
        """Weights and moments, steps taken, and the generator's state."""
        made = {} if self._weight is None else {"weight": self._weight.clone()}
        moments = self._moments or ()
        named = {n: m.clone() for n, m in zip(("mean", "square"), moments, strict=False)}
        return {**made, **named, "steps": self._steps, "rng": self._rng.get_state()}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            ConfigurationError: it is the state of something else.
        """
        weight = state.get("weight")
        moments = (state.get("mean"), state.get("square"))
        parts = () if weight is None else (weight, *moments)
        steps, rng = state.get("steps"), state.get("rng")
        shapes = {tuple(p.shape) if isinstance(p, Tensor) else None for p in parts}
        fits = len(shapes) <= 1 and all(s and len(s) == 2 and s[0] == self.classes for s in shapes)
        if not fits or not isinstance(steps, int) or not isinstance(rng, Tensor):
            raise ConfigurationError(
                f"the state of a probe holds {', '.join(sorted(state)) or 'nothing'}; expected "
                f"weight, mean and square of {self.classes} classes, steps, rng"
            )
        self._rng.set_state(rng)
        self._steps = steps
        copies = [part.clone() for part in parts if part is not None]
        self._weight = copies[0] if copies else None
        self._moments = (copies[1], copies[2]) if copies else None


@torch.enable_grad()
def _slope(weight: Tensor, codes: Tensor, index: Tensor) -> Tensor:
    w = weight.detach().requires_grad_()
    return torch.autograd.grad(functional.cross_entropy(_logits(w, codes), index), w)[0]


def _logits(weight: Tensor, codes: Tensor) -> Tensor:
    return codes @ weight[:, :-1].mT + weight[:, -1]
