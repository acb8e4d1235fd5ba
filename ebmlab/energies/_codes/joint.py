"""`JointEmbedding`: encode x and y, and let an energy judge the codes."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import final

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import leaves, require_tensor
from ebmlab.codes import Codes, different
from ebmlab.energies._codes.codes import Cosine
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.types import Decode, Posterior, Rng, Tree

__all__ = ["Embedding", "JointEmbedding", "encoded_views"]


class Embedding(Energy):
    """An energy of codes: a subclass writes `codes`, all else follows."""

    @abstractmethod
    def codes(self, x: Tree, y: Tree) -> Codes:
        """Every tensor encoded once."""

    @final
    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        return self.codes(x, y).energies(z, rng=rng).mean(0)

    @final
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        self.codes(x, y).update()


class JointEmbedding(Embedding):
    """E(x, y, z) = head(online(x), target(y), z): a Siamese or predictive energy on codes.

    x and y may be tuples of views: each is encoded once, and the energy is the mean over pairs of
    *different* views. Two views handed as x and as y, `energy((v1, v2), (v1, v2))`, give the
    symmetrized energy.

    Args:
        online: encoder of x, (n, *event) -> (n, dim).
        target: encoder of y; None is the online one. Where the two are one module and x is y,
            it runs once.
        head: energy of codes; predictors and stopped gradients live here or in the target.
        x_ndim: event dimensions of x before encoding: 1 points, 3 images.
        y_ndim: those of y; None: as x.

    Raises:
        ShapeError: views are given for one of x and y only, or there is but one of them.

    Example:
        >>> import torch
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

    def codes(self, x: Tree, y: Tree) -> Codes:
        """Every tensor encoded once: codes of one view by one encoder are one tensor."""
        if isinstance(x, tuple) != isinstance(y, tuple):
            raise ShapeError("views: x and y must both be tuples of views, or both one tensor")
        f = partial(_encoded, self.online, self.x_event, "x")
        same = self.online is self.target
        g = f if same else partial(_encoded, self.target, self.y_event, "y")
        if isinstance(x, tuple):
            return encoded_views(self.head, x, leaves(y), f, g, paired=False)
        x, y = require_tensor("x", x), require_tensor("y", y)
        return encoded_views(self.head, (x,), (y,), f, g, paired=True)

    def decoding(self) -> Decode | None:
        """The head's, of the code of x; None where y is encoded too."""
        inner = self.head.decoding() if isinstance(self.target, nn.Identity) else None
        if inner is None:
            return None
        f = partial(_encoded, self.online, self.x_event, "x")
        return lambda x, z: inner(f(require_tensor("x", x)), z)

    @property
    def squares(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.head.squares


def encoded_views(
    head: Energy,
    xs: tuple[Tensor, ...],
    ys: tuple[Tensor, ...],
    f: Callable[[Tensor], Tensor],
    g: Callable[[Tensor], Tensor],
    *,
    paired: bool,
) -> Codes:
    """The codes f(x), g(y) of all views, each once; all different ones meet, unless `paired`."""
    hx = [f(view) for view in xs]
    known = {id(view): h for view, h in zip(xs, hx, strict=True)} if f is g else {}
    hy = [known[id(view)] if id(view) in known else g(view) for view in ys]
    pairs = ((0, 0),) if paired else different(len(xs), len(ys))
    return Codes(head, tuple(hx), tuple(hy), pairs)


def _encoded(encoder: nn.Module, ndim: int, name: str, view: Tensor) -> Tensor:
    return over_batch(encoder, (view, ndim), names=name)
