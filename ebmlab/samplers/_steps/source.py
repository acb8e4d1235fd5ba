"""Where a step's random numbers come from: counted from a seed, or drawn one after the other."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebmlab.errors import ConfigurationError
from ebmlab.kernels.threefry import normals, uniforms
from ebmlab.samplers._steps.start import noise_like, uniform_like

__all__ = ["Counted", "Drawn", "Source"]


class Source(ABC):
    """What `Kernel.draw` takes its numbers from."""

    @abstractmethod
    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of a tensor's shape, type and device."""

    @abstractmethod
    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1), likewise."""

    @property
    def rng(self) -> torch.Generator:
        """The generator itself, for kernels that are not `counted`."""
        raise ConfigurationError(
            "numbers counted from a seed come from no generator: take normal(like) and "
            "uniform(like), or let the kernel's `counted` be False"
        )


class Counted(Source):
    """Numbers of a seed: the n-th call has its n-th stream, and all steps the same numbers anyhow.

    Eager or compiled, alone or many steps at once: with seeds (K,) every call gives the numbers
    of K steps, (K, …), with a 0-d one those of its step.

    Example:
        >>> seeds = torch.tensor([3, 4])
        >>> both = Counted(seeds).normal(torch.zeros(5))
        >>> torch.equal(both[1], Counted(seeds[1]).normal(torch.zeros(5)))
        True
    """

    def __init__(self, seeds: Tensor) -> None:
        self.seeds, self.stream = seeds, -1

    def normal(self, like: Tensor) -> Tensor:
        self.stream += 1
        return normals(self.seeds, like, self.stream)

    def uniform(self, like: Tensor) -> Tensor:
        self.stream += 1
        return uniforms(self.seeds, like, self.stream)


class Drawn(Source):
    """Numbers of a generator, each call the next."""

    def __init__(self, rng: torch.Generator) -> None:
        self._rng = rng

    @property
    def rng(self) -> torch.Generator:
        return self._rng

    def normal(self, like: Tensor) -> Tensor:
        return noise_like(like, self.rng)

    def uniform(self, like: Tensor) -> Tensor:
        return uniform_like(like, self.rng)
