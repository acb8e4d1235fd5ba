"""z of several parts, each inferred in its own way."""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import cast

import torch
from torch import nn

from ebmlab._checks import leaves
from ebmlab._parts import marginal
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Bound, FreeEnergy, Inference, Posterior, combined
from ebmlab.types import Rng, Tree

__all__ = ["Product"]


class Product(Inference):
    """z = (z1, z2, …), every part inferred in its own way: the last first, given all before it.

    F = F_1[F_2[… E]], each F_i a free energy over z_i at the same temperature T: a code can be
    enumerated, and for each code an angle be searched for. The posterior is q(z1) q(z2 | z1) …,
    its information Σ_i E KL(q_i || prior_i), and at T = 0 the one z of lowest energy that is
    found. Encoders see what is held: that of z2 is called with (x, y, z1).

    A code that is enumerated costs a search of the others for each of its values. For parts at
    different temperatures nest two `FreeEnergy`, the inner one with `part`.

    Args:
        parts: an inference for each part of z, in the order of the energy's z.

    Raises:
        ConfigurationError: there are fewer than two; one of them infers several parts itself;
            their bounds lie on different sides; or one that is not the first gives gradients
            only, so that nothing could be weighed by its values.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import LBFGS, Enumerate
        >>> def cost(y, code, shift):
        ...     return (y - 10 * code - shift).square().sum(-1) + shift.square().sum(-1)
        >>> energy = FunctionEnergy(cost, ("y", "z"), z_ndim=(1, 1))
        >>> infer = Product(Enumerate(torch.tensor([[0.0], [1.0]])), LBFGS(torch.zeros(1, 1)))
        >>> code, shift = infer(energy, None, torch.tensor([[2.0], [11.0]])).atoms
        >>> code.flatten(), shift.flatten()
        (tensor([0., 1.]), tensor([1.0000, 0.5000]))
    """

    def __init__(self, *parts: Inference) -> None:
        super().__init__()
        if len(parts) < 2 or any(part.z_parts != 1 for part in parts):
            raise ConfigurationError(
                f"Product has {[type(part).__name__ for part in parts]}; it needs two or more, "
                "each an inference of one part of z"
            )
        if any(part.bound == "gradient" for part in parts[1:]):
            raise ConfigurationError(
                "Product: an inference that gives gradients only must be the first part"
            )
        self.each = nn.ModuleList(parts)
        bounds: list[Bound] = [part.bound for part in parts]
        self.z_parts, self.bound = len(parts), combined(*bounds)
        self.takes_x = any(part.takes_x for part in parts)

    @property
    def inferences(self) -> list[Inference]:
        """One for each part."""
        return cast("list[Inference]", list(self.each))

    def capacity(self) -> float:
        """The sum of what the parts can carry."""
        return math.fsum(part.capacity() for part in self.inferences)

    def possible(self) -> Tree:
        """All tuples of values, those of the last part fastest; None if a part lists none."""
        values = [part.possible() for part in self.inferences]
        if any(value is None for value in values):
            return None
        listed = [leaves(value)[0] for value in values]
        index = torch.cartesian_prod(*(torch.arange(len(value)) for value in listed))
        return tuple(value[i] for value, i in zip(listed, index.unbind(-1), strict=True))

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The others under the last part's free energy, then the last given each of their z."""
        *first, last = self.inferences
        others = first[0] if len(first) == 1 else Product(*first)
        reduced = FreeEnergy(energy, last, temperature, part=len(first))
        return reduced.joined(others(reduced, x, y, temperature, rng=rng), x, y, rng=rng)

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        """Move the state of every part, by its own q."""
        for i, part in enumerate(self.inferences):
            part.update(x, y, cache(partial(_own, q, i)))


def _own(q: Callable[[], Posterior], part: int) -> Posterior:
    return marginal(q(), part)
