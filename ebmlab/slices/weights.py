"""The loss over the weights of a network, along two random directions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ebmlab._checks import require_generator
from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Potential

__all__ = ["over_weights"]


def over_weights(
    module: nn.Module, value: Callable[[], Tensor], rng: torch.Generator
) -> Potential:
    """u(a, b) = value of the module with weights θ + a d₁ + b d₂, for `landscape(u, Plane.xy())`.

    d are drawn from a standard normal, and each filter (row of a weight) is then made as long as
    the filter of θ that it moves; biases and scales of normalization stay. Two networks that
    differ by factors between their layers only, and so are one function, have the same slice.

    Args:
        module: holds the weights; they are θ again after each call.
        value: a loss or a mean energy, () -> 0-d, computed by the module: `lambda:
            energy(x, y).mean()`. Where it draws, have it draw the same at each call.
        rng: a generator on the weights' device.

    Raises:
        ConfigurationError: the module has no weight of two or more dimensions, or no rng is given.
        ShapeError: value returns anything but one number.

    Example:
        >>> from ebmlab import Plane, landscape
        >>> f = nn.Linear(3, 1, bias=False)
        >>> u = over_weights(f, lambda: f(torch.ones(5, 3)).square().mean(), torch.Generator())
        >>> landscape(u, Plane.xy(), -1.0, 1.0, 3).energy.shape
        torch.Size([3, 3])

    Source: Li, Xu, Taylor, Studer, Goldstein 2018, arXiv:1712.09913.
    """
    weights = {name: p.detach() for name, p in module.named_parameters() if p.ndim > 1}
    if not weights:
        raise ConfigurationError(
            f"{type(module).__name__} has no weight of two or more dimensions to be moved"
        )
    rng = require_generator(rng, "over_weights", next(iter(weights.values())).device)
    moves = {name: [_direction(p, rng) for _ in range(2)] for name, p in weights.items()}
    valued = _Valued(module, value)

    def at(points: Tensor) -> Tensor:
        return torch.stack(
            [
                _number(functional_call(valued, _moved(weights, moves, point), ()))
                for point in points
            ]
        )

    return Potential(at)


class _Valued(nn.Module):
    """A value as the output of a module, so that its weights can be replaced for one call."""

    def __init__(self, module: nn.Module, value: Callable[[], Tensor]) -> None:
        super().__init__()
        self.module, self.value = module, value

    def forward(self) -> Tensor:
        return self.value()


def _direction(weight: Tensor, rng: torch.Generator) -> Tensor:
    """A random direction (*weight), each row as long as that of the weight."""
    rows = precise(weight).flatten(1)
    drawn = torch.randn(rows.shape, generator=rng, dtype=rows.dtype, device=rows.device)
    scale = rows.norm(dim=1, keepdim=True) / drawn.norm(dim=1, keepdim=True)
    return (drawn * scale).view_as(weight).to(weight.dtype)


def _moved(
    weights: dict[str, Tensor], moves: dict[str, list[Tensor]], point: Tensor
) -> dict[str, Tensor]:
    a, b = point.to(next(iter(weights.values())).dtype)
    return {
        f"module.{name}": weight + a * moves[name][0] + b * moves[name][1]
        for name, weight in weights.items()
    }


def _number(value: Tensor) -> Tensor:
    value = require_a(Tensor, "value", value, "return a loss, as energy(x, y).mean()")
    if value.ndim:
        raise ShapeError(f"value returned {tuple(value.shape)}; expected one number: .mean()")
    return value
