"""What every pass over a method shares: its generator, its mode, and a loss that is one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ebmlab._checks import require_generator
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.protocols import Loss
from ebmlab.training.batches import Batch

__all__ = ["checked_loss", "generator_for", "training"]


def generator_for(method: nn.Module, rng: torch.Generator | None) -> torch.Generator:
    """The generator, which must be on the method's device; a new one seeded with 0 for None."""
    own = next(method.parameters(), None)
    own = next(method.buffers(), None) if own is None else own
    device = torch.device("cpu") if own is None else own.device
    if rng is None:
        return torch.Generator(device).manual_seed(0)
    return rng if own is None else require_generator(rng, type(method).__name__, device)


@contextmanager
def training(method: nn.Module) -> Iterator[None]:
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


def checked_loss(method: nn.Module, batch: Batch, rng: torch.Generator) -> Loss:
    """The scalar loss of a batch.

    Raises:
        ConfigurationError: the method returned no `Loss`.
        ShapeError: its value is no scalar.
    """
    loss = method(*batch, rng)
    if not isinstance(loss, Loss):
        raise ConfigurationError(
            f"{type(method).__name__} returned a {type(loss).__name__}; training needs a Loss: "
            "Method(energy, objective) gives it"
        )
    if loss.value.ndim:
        raise ShapeError(
            f"the loss has shape {tuple(loss.value.shape)}; it must be a scalar: .mean() mends it"
        )
    return loss
