"""Targets that gradients do not reach: a moving average, a stopped gradient."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_shares
from ebmlab._precise import precise_type
from ebmlab.protocols import Stepped

__all__ = ["EMA", "Detached", "rising_cosine"]


class EMA(Stepped):
    """A teacher that trails a module: w' = d w' + (1 - d) w once per optimizer step.

    Starts as a copy. No gradient reaches it. Buffers, as those of batch normalization, are the
    teacher's own and are not averaged. Of parameters in half precision, whose average would stand
    still, the teacher averages copies in float32, the masters; these are what is saved.

    Args:
        module: the student, trained elsewhere; it is not a submodule of the teacher.
        decay: d in [0, 1], or a function of the clock (0-d tensor: steps so far) that returns it.

    Example:
        >>> student = nn.Linear(1, 1, bias=False)
        >>> teacher = EMA(student, decay=0.5)
        >>> _ = student.weight.data.add_(1.0)
        >>> teacher.step()
        >>> float((student.weight - teacher.module.weight).detach())
        0.5

    Source: Tarvainen, Valpola 2017, arXiv:1703.01780; He et al. 2020, arXiv:1911.05722.
    """

    clock: Tensor

    def __init__(self, module: nn.Module, decay: float | Callable[[Tensor], Any] = 0.99) -> None:
        super().__init__()
        if not callable(decay):
            require_shares(decay=decay)
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay = decay
        self._masters: dict[str, Tensor] = {}
        self._keep(self._averaged())
        self.register_state_dict_post_hook(_save_masters)
        self.register_load_state_dict_pre_hook(_load_masters)
        # In a tuple the student stays out of this module's parameters, and copies keep the link.
        self._student = (module,)
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, *inputs: Tensor) -> Any:
        """The teacher's output, without a graph."""
        return self.module(*inputs)

    @torch.no_grad()
    def step(self) -> None:
        """Move towards the student."""
        decay = self.decay(self.clock) if callable(self.decay) else self.decay
        pairs = zip(self.module.named_parameters(), self._student[0].parameters(), strict=True)
        for (name, own), student in pairs:
            mean = self._masters.get(name, own)
            rate = (1 - decay).to(mean.dtype) if isinstance(decay, Tensor) else 1 - decay
            mean.lerp_(student.to(mean.dtype), rate)
            if mean is not own:
                own.copy_(mean)
        self.clock += 1

    def _averaged(self) -> dict[str, Tensor]:
        """What is averaged: masters, or the parameters that need none."""
        named = self.module.named_parameters()
        return {name: self._masters.get(name, own.data) for name, own in named}

    @torch.no_grad()
    def _keep(self, averages: dict[str, Tensor]) -> None:
        """Make these the masters of the parameters in half precision, and the values of others."""
        for name, own in self.module.named_parameters():
            kind = precise_type(own.dtype)
            if kind != own.dtype:
                self._masters[name] = averages[name].to(own.device, kind)
            elif name in self._masters:
                own.copy_(self._masters.pop(name))

    def _apply(self, fn: Callable[[Tensor], Any], recurse: bool = True) -> Self:
        averages = self._averaged()
        super()._apply(fn, recurse)
        self._keep(averages)
        return self


def _save_masters(teacher: EMA, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for name, master in teacher._masters.items():
        state[f"{prefix}module.{name}"] = master


@torch.no_grad()
def _load_masters(teacher: EMA, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    for name, master in teacher._masters.items():
        saved = state.get(f"{prefix}module.{name}")
        # What does not fit is torch's to refuse.
        if isinstance(saved, Tensor) and saved.shape == master.shape:
            master.copy_(saved)


def rising_cosine(start: float, steps: int) -> Callable[[Tensor], Tensor]:
    """A decay for `EMA` that rises from `start` to 1: 1 - (1 - start) · ½ (1 + cos πt/steps).

    Args:
        start: the decay at first, in [0, 1].
        steps: when it has reached 1, and stays there.

    Example:
        >>> decay = rising_cosine(0.9, steps=100)
        >>> [round(float(decay(torch.tensor(t))), 3) for t in (0, 50, 100, 200)]
        [0.9, 0.95, 1.0, 1.0]

    Source: Grill et al. 2020, arXiv:2006.07733.
    """
    require_shares(start=start)
    require_counts(steps=steps)
    return partial(_risen, start, steps)


def _risen(start: float, steps: int, clock: Tensor) -> Tensor:
    done = (clock.double() / steps).clamp(max=1)
    return 1 - (1 - start) * 0.5 * (1 + (math.pi * done).cos())


class Detached(nn.Module):
    """A module whose output no gradient enters: stop-gradient.

    It shares the parameters of the module it wraps.

    Example:
        >>> Detached(nn.Linear(2, 2))(torch.ones(1, 2)).requires_grad
        False

    Source: Chen, He 2021, arXiv:2011.10566.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    @torch.no_grad()
    def forward(self, *inputs: Tensor) -> Any:
        """The output, without a graph."""
        return self.module(*inputs)
