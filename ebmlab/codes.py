"""`Codes`: what an energy looks at once everything is encoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from ebmlab._batch_norms import batch_norms
from ebmlab._checks import leaves, require_tensor
from ebmlab._precise import precise
from ebmlab.errors import ShapeError
from ebmlab.types import Rng, Tree

if TYPE_CHECKING:
    from ebmlab.energy import Energy

__all__ = ["Codes", "different"]

Pair = tuple[Tree, Tree]


@dataclass(frozen=True, eq=False)
class Codes:
    """The head of an energy, the codes of the views of x and of y, and which views meet.

    E(x, y, z) is the mean over the pairs (i, j) of head(x[i], y[j], z). An energy that embeds
    nothing is its own head, with one view of each.

    Attributes:
        head: the energy of codes.
        x, y: the codes of each view; a code that is in both is one object.
        pairs: indices (of x, of y).

    Example:
        >>> from ebmlab.energies import JointEmbedding, SquaredDistance
        >>> energy = JointEmbedding(torch.nn.Identity(), head=SquaredDistance())
        >>> views = torch.zeros(4, 2), torch.ones(4, 2), torch.ones(4, 2)
        >>> codes = energy.codes(views, views)
        >>> codes.pairs, codes.energies().shape
        (((1, 0), (0, 1), (0, 2), (2, 0), (2, 1), (1, 2)), torch.Size([6, 4]))
    """

    head: "Energy"
    x: tuple[Tree, ...]
    y: tuple[Tree, ...]
    pairs: tuple[tuple[int, int], ...] = ((0, 0),)

    def energies(self, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Energies (pairs, *batch); what is inferred from a view of y is inferred once."""
        pairs = self.each() if z is None and self._apiece else self.groups()
        parts = [self.head(x, y, z, rng=rng) for x, y in pairs]
        if len(self.pairs) == 1:
            return parts[0][None]
        if len(parts) == 1:
            return parts[0].flatten(0, 1)
        alike = len({part.shape for part in parts}) == 1
        return torch.stack(parts if alike else torch.broadcast_tensors(*parts))

    def each(self) -> Iterator[Pair]:
        """The pairs of codes, one after the other."""
        return ((self.x[i], self.y[j]) for i, j in self.pairs)

    def groups(self) -> list[Pair]:
        """The pairs as the head takes them: together, or one by one where it looks at a batch.

        Together they are (others, views, *batch, *event) of x and (1, views, *batch, *event) of
        y: the views of y side by side, and before them the views of x that each of them meets.
        """
        alone = len(self.pairs) == 1 or bool(batch_norms(self.head))
        return list(self.each()) if alone else self._joined()

    @property
    def _apiece(self) -> bool:
        """Whether two pairs, of a view of y each, are one by one what they are together.

        They need not be laid out side by side then, which costs more than what energies do.
        """
        met = {j for _, j in self.pairs}
        alone = not (self.head.couples or self.head.stochastic)
        return alone and len(self.pairs) == len(met) == 2

    def apart(self) -> "Codes":
        """The codes after what the head does to each by itself, under the head that is left."""
        return self.head.apart(self)

    def over(self, head: "Energy") -> Self:
        """The same codes under another head."""
        return replace(self, head=head)

    def stacked(self) -> Pair:
        """The codes of x and y; where there are several, the views stacked in front."""
        if len(self.x) == len(self.y) == 1:
            return self.x[0], self.y[0]
        x, same = _stacked(self.x), list(map(id, self.x)) == list(map(id, self.y))
        return x, x if same else _stacked(self.y)

    def update(self) -> None:
        """Hand the detached codes to the head's `update`, views together; without autocast."""
        if not self.head.still:
            self._updated()

    @torch.no_grad()
    def _updated(self) -> None:
        device = next(leaf.device.type for h in (*self.y, *self.x) for leaf in leaves(h))
        mixed = torch.is_autocast_enabled(device)
        x, y = (tuple(_detached(h, mixed) for h in side) for side in (self.x, self.y))
        with torch.autocast(device, enabled=False):
            for pair in replace(self, x=x, y=y)._joined():
                self.head.update(*pair)

    def _joined(self) -> list[Pair]:
        """One pair of everything where views are alike and each of y meets as many of x."""
        views = list(dict.fromkeys(j for _, j in self.pairs))
        turns = len(self.pairs) // len(views)
        regular = [j for _, j in self.pairs] == views * turns
        if len(self.pairs) == 1 or not (regular and _alike(self.x) and _alike(self.y)):
            return list(self.each())
        x, y = _stacked([self.x[i] for i, _ in self.pairs]), _stacked([self.y[j] for j in views])
        return [(x.unflatten(0, (turns, len(views))), y[None])]


def different(n: int, m: int) -> tuple[tuple[int, int], ...]:
    """All pairs of different views i of n and j of m, ordered so that they go together.

    Raises:
        ShapeError: there are none.
    """
    if n > 1 and m <= n:
        return tuple((o + (o >= j), j) for o in range(n - 1) for j in range(m))
    pairs = tuple((i, j) for j in range(m) for i in range(n) if i != j)
    if not pairs:
        raise ShapeError("one view only: pass at least two, as in (v1, v2), (v1, v2)")
    return pairs


def _alike(side: tuple[Tree, ...]) -> bool:
    return len({h.shape if isinstance(h, Tensor) else id(h) for h in side}) == 1


def _stacked(side: Sequence[Tree]) -> Tensor:
    return torch.stack([require_tensor("codes", h) for h in side])


def _detached(tree: Tree, mixed: bool) -> Tree:
    """Without a graph; what autocast has made of single precision is single again."""
    if isinstance(tree, tuple):
        bare = tuple(t.detach() if t.requires_grad else t for t in tree)
        return tuple(map(precise, bare)) if mixed else bare
    return None if tree is None else leaves(_detached((tree,), mixed))[0]
