"""Clusters of all the data: spherical K-means over stored codes, once in a while."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab._randomness import stream
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._clusters.assigning import one_atom, require_scored, target_codes
from ebmlab.inference._clusters.spherical_kmeans import spherical_kmeans
from ebmlab.networks import Memory, Prototypes
from ebmlab.types import Tree

__all__ = ["Clustered"]


class Clustered(nn.Module, Inference):
    """z = the nearest of k centroids, which K-means sets anew every so many commits.

    The centroids are the prototypes that the energy scores with, put there by K-means over a bank
    of the latest codes and never moved by a gradient:

        centroids = Prototypes(dim, k)
        head = FreeEnergy(Assignment(centroids), Clustered(centroids, Memory(n, dim), every))

    Until the bank holds as many codes as centroids they stay where they are, which is anywhere:
    `training.settle` clusters the data before the first step.

    Args:
        prototypes: set by K-means; their gradient is turned off.
        bank: of codes, each commit's pushed; for DeepCluster as many as there are data.
        every: commits from one K-means to the next: an epoch.
        iterations: of K-means.
        seed: of its starts; the same on all ranks.

    Raises:
        ConfigurationError: every or iterations below 1, or a bank that is too small or of other
            codes; T is not 0; the energy has no scores.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.energies import Assignment
        >>> centroids = Prototypes(2, 2)
        >>> infer = Clustered(centroids, Memory(4, 2), every=1)
        >>> head = FreeEnergy(Assignment(centroids), infer)
        >>> head.update(None, torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.1, 3.0], [-0.1, 3.0]]))
        >>> centroids.weight.sum(0)
        tensor([1., 1.])

    Source: Caron et al. 2018, arXiv:1807.05520; Caron et al. 2020, arXiv:2006.09882.
    """

    bound: ClassVar[Bound] = "upper"
    clock: Tensor

    def __init__(
        self,
        prototypes: Prototypes,
        bank: Memory,
        every: int,
        iterations: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        k, dim = prototypes.weight.shape
        if every < 1 or iterations < 1:
            raise ConfigurationError(
                f"every is {every}, iterations {iterations}; both must be at least 1"
            )
        if len(bank.codes) < k or bank.codes.shape[1] != dim:
            raise ConfigurationError(
                f"the bank keeps codes of shape {tuple(bank.codes.shape)}; {k} centroids of "
                f"length {dim} need at least ({k}, {dim})"
            )
        self.prototypes = prototypes.requires_grad_(False)
        self.bank = bank
        self.every, self.iterations, self.seed = every, iterations, seed
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def __call__(
        self,
        energy: Energy,
        x: Tree,
        y: Tree,
        temperature: float = 0.0,
        *,
        rng: torch.Generator | None = None,
    ) -> Posterior:
        """The nearest centroid, one-hot."""
        self.require_point(temperature)
        scored, h = require_scored(energy, "Clustered"), target_codes(y)
        scores = scored.scores(h)
        return one_atom(nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]), h)

    @torch.no_grad()
    def update(self, x: Tree, y: Tree) -> None:
        """Push the codes into the bank; when it is time, cluster what the bank holds."""
        self.bank.push(target_codes(y))
        self.clock += 1
        clock, k = int(self.clock), len(self.prototypes.weight)
        if clock % self.every:
            return
        codes = self.bank.codes[: int(self.bank.count)]
        if len(codes) >= k:
            rng = stream(self.seed, clock, rank=0)
            self.prototypes.weight.copy_(spherical_kmeans(codes, k, self.iterations, rng))

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"every={self.every}, iterations={self.iterations}"
