"""Energies between two codes: squared distance, cosine, inner product, cross-entropy."""

import torch
from torch import Tensor

from ebmlab._checks import require_positive, require_tensor
from ebmlab._distances import squared_distances
from ebmlab._events import require_alike
from ebmlab._precise import precise
from ebmlab.energies._codes.inner import inner, mean_log
from ebmlab.energy import Energy
from ebmlab.types import Decode, Rng, Tree

__all__ = ["Cosine", "CrossEntropy", "InnerProduct", "SquaredDistance", "unit"]


def unit(h: Tensor, length: float = 1.0) -> Tensor:
    """h / ‖h‖ along the last dimension; a zero vector stays zero and has a finite gradient.

    Another length than 1 scales it, and a negative one turns it around, at no cost.

    Example:
        >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    h, norm = _scaled(h)
    return h * (length / norm)


def _scaled(h: Tensor) -> tuple[Tensor, Tensor]:
    """h up to a factor of each row, and its length (…, 1) then; zero vectors have length 1."""
    # Dividing by the largest entry first changes nothing but keeps the squares in range.
    largest = h.detach().abs().amax(-1, keepdim=True)
    h = h / largest.masked_fill(largest == 0, 1.0)
    # Now ‖h‖ is at least 1, or 0.
    return h, torch.linalg.vector_norm(h, dim=-1, keepdim=True).clamp(min=1.0)


class SquaredDistance(Energy):
    """E(x, y) = ‖x - y‖², summed over the event.

    Args:
        ndim: event dimensions of x and y: 1 for codes, 3 for images.

    Example:
        >>> SquaredDistance()(torch.zeros(2, 3), torch.ones(2, 3))
        tensor([3., 3.])

    Source: Hadsell, Chopra, LeCun 2006.
    """

    shows = ("ndim",)
    squares = True

    def __init__(self, ndim: int = 1) -> None:
        super().__init__()
        self.x_ndim = self.y_ndim = self.ndim = ndim

    def decoding(self) -> Decode:
        return lambda x, z: require_tensor("x", x)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return self.residuals(x, y).square().sum(-1)

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        x, y = require_alike(x, y, self.ndim)
        batch = x.shape[: x.ndim - self.ndim]
        rows = x.reshape(batch.numel(), -1)
        return squared_distances(rows, y.reshape(len(y), -1)).reshape(*batch, len(y))

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        x, y = require_alike(x, y, self.ndim)
        difference = x - y
        return difference.flatten(-self.ndim) if self.ndim else difference[..., None]


class Cosine(Energy):
    """E(x, y) = -cos(x, y), in [-1, 1]; a zero vector has energy 0.

    Example:
        >>> Cosine()(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]]))
        tensor([-1.])
    """

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        x, y = require_alike(x, y)
        if x.shape != y.shape:
            return inner(unit(x, -1.0), unit(y))
        # Row by row numbers are divided, not vectors.
        (x, of_x), (y, of_y) = _scaled(x), _scaled(y)
        return (x * y).sum(-1) / (of_x * of_y).neg().squeeze(-1)


class InnerProduct(Energy):
    """E(x, y) = -x · y, in float32 or better.

    Example:
        >>> InnerProduct()(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([-11.])

    Source: Mikolov et al. 2013, arXiv:1310.4546, of words and their neighbors.
    """

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        x, y = require_alike(x, y)
        return -inner(precise(x), precise(y))


class CrossEntropy(Energy):
    """E(x, y) = -Σ_k y_k log softmax(x / τ)_k of logits x and target probabilities y.

    Args:
        temperature: τ > 0, in the units of the logits.

    Example:
        >>> CrossEntropy()(torch.zeros(1, 4), torch.tensor([[0.0, 1.0, 0.0, 0.0]]))
        tensor([1.3863])
    """

    shows = ("temperature",)

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        require_positive("temperature", temperature)
        self.temperature = temperature

    def decoding(self) -> Decode:
        return lambda x, z: (require_tensor("x", x) / self.temperature).softmax(-1)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        x, y = require_alike(x, y)
        return -mean_log(y, (precise(x) / self.temperature).log_softmax(-1))
