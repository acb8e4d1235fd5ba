"""`Supported`: codes classified by their soft nearest neighbors in a labeled support."""

from functools import partial

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import leaves, require_counts, require_index, require_positive
from ebmlab.codes import Codes
from ebmlab.energies._codes.codes import unit
from ebmlab.energies._codes.joint import Embedding, encoded_views
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Supported"]


class Supported(Embedding):
    """E = head(log p(x), log p(y)) with p(v) = softmax(cos(f(v), f(S)) / τ) L of a support (S, L).

    x is a view and y = (view, support, labels); or x a tuple of views and y = (*views, support,
    labels), and the energy is the mean over pairs of different views. Every image is encoded
    once. Gradients flow through the support's codes as well.

    Args:
        encoder: f, (n, *event) -> (n, dim).
        head: energy of log-probabilities (*batch, classes).
        classes: how many there are; labels are whole numbers below.
        views: how many views y holds.
        temperature: τ > 0.
        smoothing: share of each label, in (0, 1), that goes to all classes alike, so that no
            class has probability 0.
        x_ndim: event dimensions of views and support.

    Example:
        >>> import torch
        >>> from ebmlab.energies import SquaredDistance
        >>> energy = Supported(nn.Linear(5, 4), SquaredDistance(), classes=3, views=1)
        >>> support, labels = torch.randn(6, 5), torch.arange(6) % 3
        >>> energy(torch.randn(2, 5), (torch.randn(2, 5), support, labels)).shape
        torch.Size([2])

    Source: Assran et al. 2021, arXiv:2104.13963.
    """

    shows = ("classes", "temperature")

    def __init__(
        self,
        encoder: nn.Module,
        head: Energy,
        classes: int,
        *,
        views: int = 2,
        temperature: float = 0.1,
        smoothing: float = 0.1,
        x_ndim: int = 1,
    ) -> None:
        super().__init__()
        require_positive("temperature", temperature)
        require_counts(classes=classes, views=views)
        if not 0 < smoothing < 1:
            raise ConfigurationError(f"smoothing is {smoothing}; it must lie in (0, 1)")
        self.encoder, self.head, self.classes = encoder, head, classes
        self.temperature, self.smoothing = temperature, smoothing
        self.event = x_ndim
        self.x_ndim, self.y_ndim = x_ndim, (*[x_ndim] * views, None, None)
        self.takes_z, self.z_ndim = head.takes_z, head.z_ndim

    def codes(self, x: Tree, y: Tree) -> Codes:
        xs, (*ys, support, labels) = leaves(x), _supported(y)
        if isinstance(x, tuple) == (len(ys) == 1):
            raise ShapeError(
                f"x holds {len(xs)} views, y {len(ys)} beside its support: x is a tuple where y "
                "holds several, and one tensor where it holds one"
            )
        f = partial(self._log_p, self._support(support, labels))
        return encoded_views(self.head, xs, tuple(ys), f, f, paired=len(ys) == 1)

    def _support(self, support: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Unit codes of the support (m, dim) and its smoothed labels (m, classes)."""
        index = require_index("labels", labels)
        if index.shape != support.shape[:1]:
            raise ShapeError(
                f"labels have shape {tuple(index.shape)}, the support {tuple(support.shape)}; "
                "expected one label each"
            )
        directions = unit(self.encoder(support))
        share = nn.functional.one_hot(index, self.classes).to(directions.dtype)
        return directions, (1 - self.smoothing) * share + self.smoothing / self.classes

    def _log_p(self, support: tuple[Tensor, Tensor], view: Tensor) -> Tensor:
        directions, share = support
        h = over_batch(self.encoder, (view, self.event))
        return ((unit(h) @ directions.mT / self.temperature).softmax(-1) @ share).log()


def _supported(y: Tree) -> tuple[Tensor, ...]:
    if isinstance(y, tuple) and len(y) > 2:
        return y
    raise ShapeError("y must be a tuple: one view or more, the support, and its labels")
