"""What every pass over a method shares: its generators, its batches, its mode, its guard."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ebmlab._checks import require_generator
from ebmlab._events import warn_of_bytes
from ebmlab._kinds import require_a
from ebmlab._randomness import stream
from ebmlab._ranks import rank_count
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.protocols import Loss, committed
from ebmlab.training.batches import Batch, Data, Draws, source_of
from ebmlab.training.guard import Guard
from ebmlab.training.ranks import average_gradients
from ebmlab.training.stepping import Stepping
from ebmlab.types import Rng

__all__ = ["Passes", "generator_for", "passing"]

PLAIN = Stepping(patience=1)


class Passes:
    """Batch after batch through a method, each one committed where the guard lets it pass.

    Arguments are as `fit` takes them, but without an optimizer no weight moves. Ranks average
    their gradients, unless what wraps the method does so, or shards it.
    """

    def __init__(
        self,
        method: nn.Module,
        data: Data,
        batch_size: int,
        rng: torch.Generator,
        optimizer: torch.optim.Optimizer | None = None,
        stepping: Stepping = PLAIN,
        *,
        averages: bool = True,
    ) -> None:
        self.method, self.optimizer, self.rng = method, optimizer, rng
        self.source = source_of(data, batch_size)
        self.guard = Guard(method, stepping.patience)
        self._stepping = stepping
        self._averages = averages and not isinstance(method, nn.parallel.DistributedDataParallel)
        self._parameters = list(method.parameters())
        self._looked = False

    def step(self, number: int) -> tuple[Batch, Loss]:
        """The batches of a step, and their loss; no gradients are left. Raises as `fit`."""
        parts = self._stepping.accumulate
        first = (number - 1) * parts + 1
        batch, losses = None, []
        for turn in range(first, first + parts):
            batch, loss = self._pass(turn)
            losses.append(loss)
            if self.optimizer is not None:
                (loss.value if parts == 1 else loss.value / parts).backward()
        assert batch is not None
        loss = _mean(losses)
        if self.optimizer is not None and self._averages:
            average_gradients(self._parameters)
        if self.guard.passes(loss.value, number):
            if self.optimizer is not None:
                self._stepping.clipped(self._parameters)
                self.optimizer.step()
            committed(losses)
        for parameter in self._parameters:
            parameter.grad = None
        return batch, loss

    def _pass(self, turn: int) -> tuple[Batch, Loss]:
        draws = self._draws(turn)
        batch = self.source.batch(turn, draws)
        if not self._looked:
            self._looked = True
            warn_of_bytes(dict(zip("xy", batch, strict=True)), stacklevel=4)
        with self._stepping.autocast(self.rng.device):
            loss = self.method(*batch, draws.own)
        return batch, self._checked(loss)

    def _draws(self, turn: int) -> Draws:
        """Alone one generator serves all; ranks share one, and have one each for every step."""
        if rank_count() == 1:
            return Draws(self.rng, self.rng)
        own = stream(self.rng.initial_seed(), turn, device=self.rng.device)
        return Draws(self.rng, own)

    def _checked(self, returned: Any) -> Loss:
        what = f"what {type(self.method).__name__} returned"
        loss = require_a(Loss, what, returned, "Method(energy, objective) gives it")
        if loss.value.ndim:
            raise ShapeError(
                f"the loss has shape {tuple(loss.value.shape)}; expected a scalar: .mean() makes "
                "one"
            )
        if self.optimizer is not None and not loss.value.requires_grad:
            raise GradientError(
                "the loss carries no gradient to any parameter; look for .detach() or "
                "torch.no_grad(), or freeze the parameters with .requires_grad_(False)"
            )
        return loss


def _mean(losses: list[Loss]) -> Loss:
    """The mean of losses of one form; the last one's terms and metrics where there are several."""
    if len(losses) == 1:
        return losses[0]
    value = torch.stack([loss.value.detach() for loss in losses]).mean()
    return losses[-1]._replace(value=value)


def generator_for(method: nn.Module, rng: Rng) -> torch.Generator:
    """The generator, which must be on the method's device; None is a new one, seeded with 0.

    Raises:
        ConfigurationError: method is an energy.
        DeviceError: the generator is elsewhere.
    """
    if isinstance(method, Energy):
        raise ConfigurationError(
            f"method is an energy, {type(method).__name__}; expected Method(energy, objective)"
        )
    own = next(method.parameters(), None)
    own = next(method.buffers(), None) if own is None else own
    device = torch.device("cpu") if own is None else own.device
    if rng is None:
        return torch.Generator(device).manual_seed(0)
    return require_generator(rng, type(method).__name__, rng.device if own is None else device)


@contextmanager
def passing(method: nn.Module) -> Iterator[None]:
    """Training mode and no gradients; afterwards each module's own mode, and no gradients."""
    modes = {module: module.training for module in method.modules()}
    method.train()
    method.zero_grad()
    try:
        yield
    finally:
        method.zero_grad()
        for module, mode in modes.items():
            module.training = mode
