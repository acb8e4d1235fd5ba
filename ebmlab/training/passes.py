"""What every pass over a method shares: its generator, its batches, its mode, its guard."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ebmlab._checks import require_generator
from ebmlab._events import warn_of_bytes
from ebmlab._kinds import require_a
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.protocols import Loss
from ebmlab.training.batches import Batch, Data, batches
from ebmlab.training.guard import Guard
from ebmlab.types import Rng

__all__ = ["Passes", "passing"]


class Passes:
    """Batch after batch through a method, each one committed where the guard lets it pass.

    Arguments are as `fit` takes them, but without an optimizer no weight moves.
    """

    def __init__(
        self,
        method: nn.Module,
        data: Data,
        batch_size: int,
        rng: Rng,
        optimizer: torch.optim.Optimizer | None = None,
        patience: int = 1,
    ) -> None:
        if isinstance(method, Energy):
            raise ConfigurationError(
                f"method is an energy, {type(method).__name__}; expected Method(energy, objective)"
            )
        self.method, self.optimizer = method, optimizer
        self.rng = _generator_for(method, rng)
        self.guard = Guard(method, patience)
        self._batches = _looked_at(batches(data, batch_size, self.rng))

    def step(self, number: int) -> tuple[Batch, Loss]:
        """One batch and its loss; no gradients are left. Raises as `fit`."""
        batch = next(self._batches)
        loss = self._loss(batch)
        if self.optimizer is not None:
            loss.value.backward()
        if self.guard.passes(loss.value, number):
            if self.optimizer is not None:
                self.optimizer.step()
            loss.commit()
        self.method.zero_grad()
        return batch, loss

    def _loss(self, batch: Batch) -> Loss:
        returned = f"what {type(self.method).__name__} returned"
        mend = "Method(energy, objective) gives it"
        loss = require_a(Loss, returned, self.method(*batch, self.rng), mend)
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


def _generator_for(method: nn.Module, rng: Rng) -> torch.Generator:
    own = next(method.parameters(), None)
    own = next(method.buffers(), None) if own is None else own
    device = torch.device("cpu") if own is None else own.device
    if rng is None:
        return torch.Generator(device).manual_seed(0)
    return require_generator(rng, type(method).__name__, rng.device if own is None else device)


def _looked_at(source: Iterator[Batch]) -> Iterator[Batch]:
    """The batches; the first one is looked at."""
    first = next(source)
    warn_of_bytes(dict(zip("xy", first, strict=True)), stacklevel=4)
    yield first
    yield from source


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
