"""`JointEmbedding`: encode x and y, and let an energy judge the codes."""

import torch
from torch import Tensor, nn

from ebmlab._checks import over_batch, require_tensor
from ebmlab.energies._codes.codes import Cosine
from ebmlab.energies._codes.heads import Sided
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.networks.batch_norm import batch_norms
from ebmlab.types import Tree

__all__ = ["JointEmbedding", "are_views", "sided", "view_groups", "view_pairs"]


class JointEmbedding(Energy):
    """E(x, y, z) = head(online(x), target(y), z): a Siamese or predictive energy on codes.

    x and y may be tuples of views: each is encoded once, the codes are stacked to
    (views, batch, dim), and the energy is the mean over pairs of *different* views. Two views
    handed as x and as y, `energy((v1, v2), (v1, v2))`, give the symmetrized energy.

    Args:
        online: encoder of x, (n, *event) -> (n, dim).
        target: encoder of y; None is the online one. Where the two are one module and x is y,
            it runs once.
        head: energy of codes; predictors and stopped gradients live here or in the target.
        x_ndim, y_ndim: event dimensions of x and y before encoding: 1 points, 3 images.

    Raises:
        ShapeError: views are given for one of x and y only, or there is but one of them.

    Example:
        >>> f = nn.Linear(5, 2)
        >>> energy = JointEmbedding(f, f, Cosine())
        >>> energy(torch.randn(4, 1, 5), torch.randn(1, 6, 5)).shape
        torch.Size([4, 6])

    Source: Bromley et al. 1993; LeCun 2022, "A path towards autonomous machine intelligence".
    """

    def __init__(
        self,
        online: nn.Module,
        target: nn.Module | None = None,
        head: Energy | None = None,
        *,
        x_ndim: int = 1,
        y_ndim: int | None = None,
    ) -> None:
        super().__init__()
        self.online = online
        self.target = online if target is None else target
        self.head = Cosine() if head is None else head
        self.x_ndim = self.x_event = x_ndim
        self.y_ndim = self.y_event = x_ndim if y_ndim is None else y_ndim
        self.z_ndim, self.takes_z = self.head.z_ndim, self.head.takes_z
        self.stochastic, self.couples = self.head.stochastic, self.head.couples

    def forward(
        self, x: Tree, y: Tree, z: Tensor | None = None, rng: torch.Generator | None = None
    ) -> Tensor:
        """The head's energy of the codes, averaged over different views where there are views."""
        head, hx, hy = self.embed(x, y)
        if not isinstance(x, tuple):
            return head(hx, hy, z, rng=rng)
        assert isinstance(hx, Tensor)
        assert isinstance(hy, Tensor)
        if head.couples and are_views(head, hx, hy):
            energies = [head(a, b, z, rng=rng) for a, b in view_groups(head, hx, hy)]
            return torch.cat([e.reshape(-1, e.shape[-1]) for e in energies]).mean(0)
        energies = [head(a, b, z, rng=rng) for a, b in _different(hx, hy)]
        return torch.stack(energies).mean(0)

    def embed(self, x: Tree, y: Tree) -> tuple[Energy, Tree, Tree]:
        """(head, hx, hy): every tensor encoded once; views stacked in front of the batch.

        Codes of the same views by the same encoder are one tensor: hx is hy.
        """
        if isinstance(x, tuple) != isinstance(y, tuple):
            raise ShapeError("views: x and y must both be tuples of views, or both one tensor")
        xs, ys = _views("x", x), _views("y", y)
        hx = [over_batch(self.online, (view, self.x_event)) for view in xs]
        done = {id(view): h for view, h in zip(xs, hx, strict=True)}
        known = done if self.online is self.target else {}
        hy = [
            known[id(view)] if id(view) in known else over_batch(self.target, (view, self.y_event))
            for view in ys
        ]
        if not isinstance(x, tuple):
            return self.head, hx[0], hy[0]
        stacked = torch.stack(hx)
        siamese = len(hx) == len(hy) and all(a is b for a, b in zip(hx, hy, strict=True))
        return self.head, stacked, stacked if siamese else torch.stack(hy)

    def update(self, x: Tree, y: Tree) -> None:
        """Encode, and update the head, where it has anything to update."""
        if type(self.head).update is Energy.update:
            return
        with torch.no_grad():
            head, hx, hy = self.embed(x, y)
        head.update(hx, hy)


def _views(name: str, tree: Tree) -> tuple[Tensor, ...]:
    return tree if isinstance(tree, tuple) else (require_tensor(name, tree),)


def are_views(head: Energy, hx: Tree, hy: Tree) -> bool:
    """Whether codes are stacked views (views, batch, dim) of what the head takes as a batch."""
    return _stacked(hx, head.x_ndim) and _stacked(hy, head.y_ndim)


def view_pairs(head: Energy, hx: Tree, hy: Tree) -> list[tuple[Tree, Tree]]:
    """The pairs of codes that an objective compares: one, or all pairs of different views.

    Codes with one leading dimension are a batch. Codes with two are (views, batch): view i of x
    meets view j of y for all i != j; y may hold fewer views than x (its first ones).
    """
    if not are_views(head, hx, hy):
        return [(hx, hy)]
    assert isinstance(hx, Tensor)
    assert isinstance(hy, Tensor)
    return _different(hx, hy)


def sided(head: Energy, hx: Tree, hy: Tree) -> tuple[Energy, Tree, Tree]:
    """(energy, a, b) with energy(a, b) = head(hx, hy): what a head does to one code, done once.

    Codes are a batch (batch, dim), or views (views, batch, dim), each of which is one.

    Example:
        >>> from ebmlab.energies import Whitened
        >>> views = torch.randn(2, 8, 3)
        >>> energy, a, b = sided(Whitened(), views, views)
        >>> energy, a is b
        (Cosine(), True)
    """
    if not isinstance(head, Sided):
        return head, hx, hy
    x, y = require_tensor("x", hx), require_tensor("y", hy)
    head.check(*((x[0], y[0]) if are_views(head, x, y) else (x, y)))
    return sided(head.energy, *head.sides(x, y))


def view_groups(head: Energy, hx: Tree, hy: Tree) -> list[tuple[Tree, Tree]]:
    """The same pairs together: (others, views, batch, dim) of x and (1, views, batch, dim) of y.

    Each view of y meets the others of x, and a z that is inferred from y is inferred once. A head
    that normalizes over the batch would take several views for one batch: it gets the pairs one by
    one.
    """
    if not are_views(head, hx, hy) or batch_norms(head):
        return view_pairs(head, hx, hy)
    assert isinstance(hx, Tensor)
    assert isinstance(hy, Tensor)
    n, m = len(hx), len(hy)
    if not 1 < n >= m:
        return view_pairs(head, hx, hy)
    views = hx.unbind()
    others = [views[i + (i >= j)] for i in range(n - 1) for j in range(m)]
    return [(torch.stack(others).unflatten(0, (n - 1, m)), hy[None])]


def _different(hx: Tensor, hy: Tensor) -> list[tuple[Tree, Tree]]:
    xs = hx.unbind()
    ys = xs if hx is hy else hy.unbind()
    pairs: list[tuple[Tree, Tree]] = [
        (a, b) for i, a in enumerate(xs) for j, b in enumerate(ys) if i != j
    ]
    if not pairs:
        raise ShapeError("one view only: pass at least two, as in (v1, v2), (v1, v2)")
    return pairs


def _stacked(h: Tree, ndim: object) -> bool:
    return isinstance(h, Tensor) and isinstance(ndim, int) and h.ndim == ndim + 2
