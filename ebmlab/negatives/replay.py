"""Persistent chains of the model as negatives."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import (
    require_counts,
    require_device,
    require_generator,
    require_same_kind,
    require_shares,
    require_tensor,
)
from ebmlab._events import NOTHING, identities
from ebmlab._randomness import shared
from ebmlab._ranks import gathered, rank_count, rank_number
from ebmlab._rows import rows
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.negatives.chains import Walk, walk
from ebmlab.protocols import Draw, Negatives, Sampler
from ebmlab.types import Rng, Tree

__all__ = ["Replay"]


class Replay(Shown, Negatives):
    """Persistent chains: a pool of points that a few steps move on at every draw.

    A draw takes a slot of its own for each datum, starts some of them anew, runs the chains, and
    writes them back to the same slots when the loss is committed. Each slot carries the number of
    its lineage (new at every birth) and its age in steps. All state is in buffers. Several ranks
    have one pool, the same on each: they share its slots out, and write back the chains of all.

    Where the energy takes x, a chain is one of p(y | x), and its slot belongs to that x: only a
    datum with exactly the same x goes on from it, so that row i of the energies is E(x_i, y_i) of
    a chain that never ran under another x. A datum whose x has no slot left starts a chain anew,
    in a slot that belongs to no x yet, or else in one drawn at random, which then changes hands.
    Chains last where x comes again (labels, the rows of a data set) and the pool holds as many
    slots for each x as a batch may: where `continued` is low, they do not, and this is `FromData`
    with other starts. Codes x that training moves never come again.

    Args:
        pool: where the chains start, (size, *event).
        sampler: a kernel of `ebmlab.samplers`.
        steps: transitions per draw.
        rebirth: the probability in [0, 1] that a slot drawn starts anew.
        birth: gives n new points from (n, rng); None draws from the first pool.
        x: the x that each point of the pool belongs to, (size, *event) or a tuple of such, as of
            data (x, pool); None leaves all slots free.

    Raises:
        ShapeError: the pool is smaller than a batch, its points are not like y, or x is not one
            for each of them.

    Metrics: `age` (mean steps since birth over the pool), `continued` (the share of the draw that
    went on from its slot), those of `health`, `acceptance`, and `batch_norm` (1 where it couples
    data and negatives).

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import Langevin
        >>> replay = Replay(torch.zeros(100, 2), Langevin(0.01), steps=5)
        >>> draw = replay(MLP(2), None, torch.zeros(4, 2), torch.Generator())
        >>> draw.commit(); int(replay.age.sum())
        20

    Source: Tieleman 2008 (persistent chains); Du, Mordatch 2019, arXiv:1903.08689 (replay); Mnih,
    Larochelle, Hinton 2011, arXiv:1202.3748 (each x has a distribution, and chains, of its own).
    """

    shows = ("pool", "sampler", "steps", "rebirth")
    pool: Tensor
    first: Tensor
    owner: Tensor
    age: Tensor
    lineage: Tensor
    born: Tensor

    def __init__(
        self,
        pool: Tensor,
        sampler: Sampler,
        steps: int,
        rebirth: float = 0.05,
        birth: Callable[[int, torch.Generator], Tensor] | None = None,
        x: Tree = None,
    ) -> None:
        super().__init__()
        require_counts(steps=steps)
        require_shares(rebirth=rebirth)
        require_same_kind({"pool": pool})
        self.sampler, self.steps, self.rebirth, self.birth = sampler, steps, rebirth, birth
        size = len(pool)
        self.register_buffer("pool", pool.detach().clone())
        self.register_buffer("first", pool.detach().clone())
        self.register_buffer("owner", identities(x, size, pool.device))
        self.register_buffer("age", torch.zeros(size, dtype=torch.long, device=pool.device))
        self.register_buffer("lineage", torch.arange(size, device=pool.device))
        self.register_buffer("born", torch.tensor(size, device=pool.device))

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, 1) of the chains after their steps; `commit` writes them back."""
        y = require_tensor("y", y)
        rng = require_generator(rng, "Replay", y.device)
        done, keep = self.advance(energy, x, y, rng)
        return Draw(done.energies()[:, None], done.metrics, lambda: keep(done.end))

    def advance(
        self, energy: Energy, x: Tree, y: Tensor, rng: torch.Generator
    ) -> tuple[Walk, Callable[[Tensor], None]]:
        """The walk of a chain for each datum, and what keeps points in the chains' slots.

        Those are its ends, or where they were led from there.
        """
        energy.check(x, y)
        require_device("the pool", self.pool.device, {"y": y})
        n = len(y)
        if n * rank_count() > len(self.pool) or y.shape[1:] != self.pool.shape[1:]:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, the pool {tuple(self.pool.shape)}: the pool must "
                "hold at least one batch (of all ranks) of points like y"
            )
        owners = identities(x if energy.takes_x else None, n, y.device, energy.x_ndim)
        owners, common = gathered("x", owners), shared(rng)
        tied = energy.takes_x or bool((self.owner != NOTHING).any())
        slots, lost = self._slots(owners, common) if tied else self._any(owners, common)
        anew = lost | (torch.rand(len(slots), generator=common, device=y.device) < self.rebirth)
        births, start = self._births(len(slots), common), self.pool.index_select(0, slots)
        if self.rebirth or tied:
            start = torch.where(rows(anew, y), births(), start)
        start = start[rank_number() * n :][:n].to(y.dtype)
        done = walk(energy, x, y, start, self.sampler, self.steps, rng)
        went_on = anew.logical_not().float().mean()
        metrics = done.metrics | {"age": self.age.float().mean(), "continued": went_on}
        # Other draws may be committed first: what this one continues is noted now.
        age, lineage = torch.where(anew, 0, self.age[slots]) + self.steps, self.lineage[slots]

        def keep(points: Tensor) -> None:
            self.pool[slots] = gathered("chains", points.detach()).to(self.pool.dtype)
            self.owner[slots] = owners
            self.age[slots] = age
            self.lineage[slots] = torch.where(anew, self.born + anew.cumsum(0) - 1, lineage)
            self.born += anew.sum()

        return done._replace(metrics=metrics), keep

    def _slots(self, owners: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A slot for each datum, no two the same, and where it holds no chain of that datum's x.

        The slots of one x are taken in a random order, one after the other.
        """
        shuffled = torch.randperm(len(self.pool), generator=rng, device=owners.device)
        order = shuffled[self.owner[shuffled].argsort(stable=True)]
        held = self.owner[order]
        place = torch.searchsorted(held, owners) + _occurrence(owners)
        lost = place >= torch.searchsorted(held, owners, right=True)
        found = order[place.clamp(max=len(order) - 1)]
        # For the others: slots of no x, then those of any x, and none that was just taken.
        rank = (self.owner != NOTHING).long()
        rank.scatter_reduce_(0, found, torch.where(lost, 0, 2), "amax")
        spare = shuffled[rank[shuffled].argsort(stable=True)]
        return torch.where(lost, spare[lost.cumsum(0) - 1], found), lost

    def _any(self, owners: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """What `_slots` gives where neither data nor slots belong to an x."""
        shuffled = torch.randperm(len(self.pool), generator=rng, device=owners.device)
        return shuffled[: len(owners)], torch.zeros_like(owners, dtype=torch.bool)

    def _births(self, n: int, rng: torch.Generator) -> Callable[[], Tensor]:
        """New points, drawn now and looked up where they are needed."""
        if self.birth is not None:
            points = self.birth(n, rng)
            return lambda: points
        index = torch.randint(len(self.first), (n,), generator=rng, device=self.first.device)
        return lambda: self.first[index]


def _occurrence(values: Tensor) -> Tensor:
    """How many equal values stand before each: 0 for the first."""
    order = values.argsort(stable=True)
    ranked = values[order]
    count = torch.arange(len(values), device=values.device) - torch.searchsorted(ranked, ranked)
    return torch.empty_like(order).scatter_(0, order, count)
