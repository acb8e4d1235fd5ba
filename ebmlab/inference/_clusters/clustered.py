"""Clusters of all the data: spherical K-means over stored codes, once in a while."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_seed
from ebmlab._randomness import stream
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Posterior
from ebmlab.inference._clusters.assigning import Assigning, Logits, target_codes
from ebmlab.inference._clusters.spherical_kmeans import spherical_kmeans
from ebmlab.networks import Memory, Prototypes
from ebmlab.types import Tree

__all__ = ["Clustered"]


class Clustered(Assigning):
    """z = the nearest of k centers, which K-means sets anew every so many commits.

    The centers are the prototypes that give the energy its logits. K-means over a memory of the
    latest codes puts them there, and no gradient moves them:

        centers = Prototypes(dim, k)
        head = FreeEnergy(Assignment(centers), Clustered(centers, Memory(n, dim), every))

    Until the memory holds as many codes as there are centers, the centers stay where they began,
    which is anywhere: `training.settle` clusters the data before the first step.

    Args:
        prototypes: the centers; their gradient is turned off.
        memory: of codes, to which each commit adds; for DeepCluster as large as the data set.
        every: commits from one K-means to the next: an epoch.
        iterations, seed: of K-means; all ranks share the seed.

    Raises:
        ConfigurationError: the memory is smaller than the number of centers, or of other codes.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.energies import Assignment
        >>> centers = Prototypes(2, 2)
        >>> infer = Clustered(centers, Memory(4, 2), every=1)
        >>> head = FreeEnergy(Assignment(centers), infer)
        >>> head.update(None, torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 3.0], [-0.1, 3.0]]))
        >>> centers.weight.sum(0)
        tensor([1., 1.])

    Source: Caron et al. 2018, arXiv:1807.05520; Caron et al. 2020, arXiv:2006.09882.
    """

    shows = ("every", "iterations")
    clock: Tensor

    def __init__(
        self,
        prototypes: Prototypes,
        memory: Memory,
        every: int,
        iterations: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        k, dim = prototypes.weight.shape
        require_counts(every=every, iterations=iterations)
        if len(memory.codes) < k or memory.codes.shape[1] != dim:
            raise ConfigurationError(
                f"the memory keeps codes of shape {tuple(memory.codes.shape)}; {k} centers of "
                f"length {dim} need at least ({k}, {dim})"
            )
        self.prototypes = prototypes.requires_grad_(False)
        self.memory = memory
        require_seed(seed)
        self.every, self.iterations, self.seed = every, iterations, seed
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    def assign(self, logits: Logits, h: Tensor) -> tuple[Tensor, None]:
        found = logits(h)
        return nn.functional.one_hot(found.argmax(-1), found.shape[-1]), None

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        self.memory.push(target_codes(y))
        self.clock += 1
        clock, k = int(self.clock), len(self.prototypes.weight)
        if clock % self.every:
            return
        codes = self.memory.codes[: int(self.memory.count)]
        if len(codes) >= k:
            rng = stream(self.seed, clock, rank=0)
            self.prototypes.weight.copy_(spherical_kmeans(codes, k, self.iterations, rng))
