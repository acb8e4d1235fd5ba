"""Short chains of the model as negatives, started at the data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._randomness import fork
from ebmlab.energy import Energy
from ebmlab.negatives.coupling import batch_norm
from ebmlab.negatives.health import health
from ebmlab.protocols import Draw, Negatives, Sampler
from ebmlab.samplers import run
from ebmlab.samplers.kernel import as_kernel
from ebmlab.types import Rng, Tree

__all__ = ["FromData", "Walk", "walk"]


@dataclass(frozen=True, eq=False)
class FromData(Negatives):
    """Contrastive divergence: short chains of the model that start at the data.

    Args:
        sampler: a kernel of `ebmlab.samplers`.
        steps: transitions, at least 1.

    Metrics: those of `health`, `acceptance`, and `batch_norm` (1 where it couples data and
    negatives).

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import Langevin
        >>> negatives = FromData(Langevin(0.01), steps=5)
        >>> negatives(MLP(2), None, torch.zeros(4, 2), torch.Generator()).energies.shape
        torch.Size([4, 1])

    Source: Hinton 2002, "Training products of experts by minimizing contrastive divergence".
    """

    sampler: Sampler
    steps: int

    def __post_init__(self) -> None:
        require_counts(steps=self.steps)

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, 1) at the chains' ends."""
        y = require_tensor("y", y)
        rng = require_generator(rng, "FromData", y.device)
        done = walk(energy, x, y, y, self.sampler, self.steps, rng)
        return Draw(done.energies()[:, None], done.metrics)


class Walk(NamedTuple):
    """Where chains end, how they fare, and the energies (b,) of their ends, with a graph."""

    end: Tensor
    metrics: dict[str, Tensor]
    energies: Callable[[], Tensor]


def walk(
    energy: Energy,
    x: Tree,
    y: Tensor,
    start: Tensor,
    sampler: Sampler,
    steps: int,
    rng: torch.Generator,
) -> Walk:
    """The walk of the model's chains from `start`; their health is told beside data y."""
    coupled = batch_norm(energy, start, stacklevel=4)
    start = start.detach()
    # The energy's own noise must not be that of the chain.
    u = energy.given(x, rng=fork(rng) if energy.stochastic else None)
    chain = run(sampler, u, start, steps=steps, rng=rng)
    end = chain.state.y.detach().to(start.dtype)
    metrics = {"acceptance": chain.acceptance.mean(), **health(y, start, end)}
    metrics["batch_norm"] = coupled
    # What random energies draw here is their own again; a state in another precision is no y.
    known = not energy.stochastic and chain.state.y.dtype == start.dtype

    def energies() -> Tensor:
        return as_kernel(sampler).energies(u, chain.state) if known else energy(x, end, rng=rng)

    return Walk(end, metrics, energies)
