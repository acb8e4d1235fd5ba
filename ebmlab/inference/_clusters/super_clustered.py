"""Clusters of all the data, and parts of them within each label."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_index, require_tensor
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._randomness import stream
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import one_atom
from ebmlab.inference._clusters.spherical_kmeans import nearest_directions, spherical_kmeans
from ebmlab.networks import Memory
from ebmlab.types import Rng, Tree

__all__ = ["SuperClustered"]


class SuperClustered(Precise, Inference):
    """z = (a, c): the nearest of all clusters, then the nearest part of super-class (y, a).

    Every so many commits K-means sets the clusters from a memory of codes, whatever their label,
    and in each super-class its parts from the codes that fell into it. A super-class with fewer
    codes than parts keeps its parts.

    Args:
        dim, labels, clusters, parts: as in `energies.SuperClasses`; the codes are x.
        size: of the memory, in codes.
        every: commits from one K-means to the next: an epoch.
        iterations, seed: of K-means; all ranks share the seed.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.energies import SuperClasses
        >>> infer = SuperClustered(8, labels=4, clusters=2, parts=3, size=100, every=10)
        >>> head = FreeEnergy(SuperClasses(8, 4, 2, 3), infer)
        >>> head.posterior(torch.randn(5, 8), torch.tensor([0, 1, 2, 3, 0])).atoms.shape
        torch.Size([1, 5, 6])

    Source: Caron, Bojanowski, Mairal, Joulin 2019, arXiv:1905.01278.
    """

    shows = ("labels", "every", "iterations")
    point = True
    floors: ClassVar = {"coarse": SINGLE, "fine": SINGLE}
    coarse: Tensor
    fine: Tensor
    clock: Tensor

    def __init__(
        self,
        dim: int,
        labels: int,
        clusters: int,
        parts: int,
        size: int,
        every: int,
        iterations: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_counts(dim=dim, labels=labels, clusters=clusters, parts=parts)
        require_counts(every=every, iterations=iterations)
        self.labels, self.every = labels, every
        self.iterations, self.seed = iterations, seed
        # The last number of a row is its label.
        self.memory = Memory(size, dim + 1, seed)
        rng = stream(seed, rank=0)
        self.register_buffer("coarse", _directions(rng, clusters, dim))
        self.register_buffer("fine", _directions(rng, labels * clusters, parts, dim))
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        codes, label = require_tensor("x", x).detach(), require_index("y", y)
        clusters, parts = len(self.coarse), self.fine.shape[1]
        h = precise(codes)
        a = (h @ self.coarse.mT).argmax(-1)
        chosen, a = torch.broadcast_tensors(label * clusters + a, a)
        likeness = (h @ self.fine.flatten(0, 1).mT).unflatten(-1, (-1, parts))
        own = likeness.expand(*chosen.shape, *likeness.shape[-2:]).gather(
            -2, chosen[..., None, None].expand(*chosen.shape, 1, parts)
        )
        index = a * parts + own.squeeze(-2).argmax(-1)
        return one_atom(nn.functional.one_hot(index, clusters * parts).to(codes.dtype))

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        # In half precision labels above 256 would be others.
        h, label = precise(require_tensor("x", x).detach()), require_index("y", y)
        self.memory.push(torch.cat([h, label[..., None].to(h.dtype)], -1))
        self.clock += 1
        if int(self.clock) % self.every == 0:
            self._cluster(self.memory.codes[: int(self.memory.count)])

    def _cluster(self, rows: Tensor) -> None:
        codes, label = rows[:, :-1], rows[:, -1].round().long()
        clusters, parts = len(self.coarse), self.fine.shape[1]
        if len(codes) < clusters:
            return
        rng = stream(self.seed, int(self.clock), rank=0)
        self.coarse.copy_(spherical_kmeans(codes, clusters, self.iterations, rng))
        group = label * clusters + nearest_directions(codes, self.coarse)
        for number in range(len(self.fine)):
            members = codes[group == number]
            if len(members) >= parts:
                self.fine[number] = spherical_kmeans(members, parts, self.iterations, rng)


def _directions(rng: torch.Generator, *shape: int) -> Tensor:
    return nn.functional.normalize(torch.randn(*shape, generator=rng), dim=-1)
