"""A walk down a list of potentials, each with a kernel of its own: annealing by noise levels."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Sampler
from ebmlab.samplers._run.run import run
from ebmlab.samplers.langevin import Langevin
from ebmlab.types import Chain, Rng

__all__ = ["Stage", "noise_levels", "noise_stages", "walk_down"]


class Stage(NamedTuple):
    """A potential, or any callable (chains, *event) -> (chains,), and what moves chains on it."""

    u: Callable[[Tensor], Tensor]
    sampler: Sampler


def noise_levels(high: float, low: float, count: int) -> list[float]:
    """σ₁ = high > … > low in equal ratios, count >= 2 of them.

    Example:
        >>> noise_levels(4.0, 1.0, 3)
        [4.0, 2.0, 1.0]
    """
    require_positive("low", low)
    if not low < high < math.inf or count < 2:
        raise ConfigurationError(f"{count} levels from {high} to {low}; at least 2 levels fall")
    ratio = math.log(low / high) / (count - 1)
    return [high, *(high * math.exp(ratio * k) for k in range(1, count - 1)), low]


def noise_stages(energy: Energy, sigmas: Iterable[float], step_size: float = 0.1) -> list[Stage]:
    """A stage for each level of an energy whose x is σ: Langevin with steps of step_size · σ².

    At noise σ no direction is narrower than σ, so that one step size in units of σ² suits all.

    Args:
        energy: E(σ, y), such as `energies.Denoised`.
        sigmas: the levels, in the order of the walk.
        step_size: in units of σ², below 2: a direction as narrow as the noise contracts by it.
    """
    own = next(energy.parameters(), torch.zeros(()))
    levels = [own.new_full((1,), sigma).detach() for sigma in sigmas]
    return [
        Stage(energy.given(level), Langevin(step_size * float(level) ** 2)) for level in levels
    ]


def walk_down(
    stages: Sequence[Stage], y: Tensor, *, steps: int, rng: Rng = None, thin: int = 0
) -> Chain:
    """Run chains for `steps` transitions in each stage, from where the stage before left them.

    Wide noise joins what narrow noise parts: chains that begin as wide noise reach every mode
    before walls rise between them. What is returned is of the last stage, but for samples and
    energies, those of all stages one after another; the energies of two stages do not compare.

    Args:
        stages: potentials with a kernel each, at least one; of noise levels see `noise_stages`.
        y: where the chains start, (chains, *event): noise as wide as the first level.
        steps: transitions in each stage.
        rng: as in `run`.
        thin: keep every thin-th state of a stage; 0 keeps none.

    Raises: as in `run`; ConfigurationError: no stages.

    Example:
        >>> def bowl(width):
        ...     return lambda y: 0.5 * (y / width).square().sum(-1)
        >>> stages = [Stage(bowl(s), Langevin(0.3 * s**2)) for s in noise_levels(3.0, 0.1, 20)]
        >>> rng = torch.Generator().manual_seed(0)
        >>> chain = walk_down(stages, 3 * torch.randn(50, 2, generator=rng), steps=5, rng=rng)
        >>> 0.08 < chain.state.y.std() < 0.15
        tensor(True)

    Source: Song, Ermon 2019, arXiv:1907.05600.
    """
    require_counts(steps=steps)
    if not stages:
        raise ConfigurationError("stages is empty; give a potential and a sampler at least")
    chains = []
    for stage in stages:
        chains.append(run(stage.sampler, stage.u, y, steps=steps, rng=rng, thin=thin))
        y = chains[-1].state.y
    return chains[-1]._replace(
        samples=torch.cat([chain.samples for chain in chains]),
        energies=torch.cat([chain.energies for chain in chains]),
    )
