"""`Clusters`: the squared distance from one of K centers, z being which; and how to start them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import common_batch, require_generator, require_index, require_tensor
from ebmlab._distances import squared_distances
from ebmlab._kinds import require_floats
from ebmlab._precise import precise, scale_of
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.networks import Codebook
from ebmlab.types import Decode, Posterior, Rng, Tree

__all__ = ["Clusters", "answered", "kmeans_plus_plus"]


class Clusters(Energy):
    """E(y, z) = ‖y - c_z‖², z in {0, …, K - 1}: reconstruction by a table of centers.

    The M-step sets each center to the mean of its data, of all ranks: with z enumerated at T = 0,
    K-means. `at_each` costs one product of matrices; (K, n, d) is never laid out.

    Args:
        centers: c, (K, d); no gradient moves them unless they are a Parameter.
        decay: how much of earlier commits' counts is kept: 0 for full batches (Lloyd), 1 for
            the mean of all minibatches so far, or between; see `Codebook`.
        restart: share of the mean count at or below which a center begins again at the datum
            farthest from its own; 0: where it is empty, None: never.

    Raises:
        ShapeError, NonFiniteError, ConfigurationError: as `Codebook`, or y is not (*batch, d).

    Example:
        >>> energy = Clusters(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
        >>> energy(None, torch.zeros(1, 2), torch.arange(2))
        tensor([ 0., 25.])

    Source: Lloyd 1982, "Least squares quantization in PCM".
    """

    takes_x, takes_z = False, True
    z_ndim = 0

    def __init__(
        self, centers: Tensor, *, decay: float = 0.0, restart: float | None = 0.0
    ) -> None:
        super().__init__()
        self.codebook = Codebook(centers, decay=decay, restart=restart)

    squares = True

    def decoding(self) -> Decode:
        """The center of this number."""
        return self.decode

    def decode(self, x: Tree, z: Tree) -> Tensor:
        """The centers of these numbers, (*batch, d)."""
        return self.codebook(require_index("z", z))

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """The squared distance, in float32 or better."""
        y, z = require_tensor("y", y), require_index("z", z)
        self.codebook.require_vectors("y", y)
        return (precise(y) - self.codebook(z)).square().sum(-1)

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """All of them by one product of matrices."""
        y, z = require_tensor("y", y), require_index("z", z)
        self.codebook.require_vectors("y", y)
        every = squared_distances(y.reshape(-1, y.shape[-1]), self.codebook(z))
        return every.reshape(*y.shape[:-1], len(z))

    def lowest(self, x: Tree, y: Tree, atoms: Tensor) -> tuple[Tensor, Tensor] | None:
        """Which of the centers of these numbers (k,) is nearest to each y, and how near."""
        self.codebook.require_vectors("y", require_tensor("y", y))
        return super().lowest(x, y, atoms)

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Move each center towards the mean of its data."""
        if q is not None:
            self.codebook.learn(*answered(q(), y))


def answered(known: Posterior, y: Tree) -> tuple[Tensor, Tensor, Tensor]:
    """Data y (n, d), and which of K each may come from, with what weights: (k, n) both."""
    y = require_tensor("y", y)
    atoms = known.single()
    batch = common_batch({"y": y.shape[:-1], "z": atoms.shape[1:]})
    shape = (len(atoms), *batch)
    index, weights = (t.expand(shape).flatten(1) for t in (atoms, known.weights))
    return y.expand(*batch, -1).reshape(-1, y.shape[-1]), index, weights


@torch.no_grad()
def kmeans_plus_plus(data: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """K data far from one another, to start centers with: (k, d).

    The first is uniform; each next is drawn with probability ∝ the squared distance from the
    nearest of those before, or uniformly where no distance is left.

    Args:
        data: (n, d), finite, of any scale.
        k: how many, 1 <= k <= n.
        rng: on the data's device.

    Example:
        >>> data = torch.tensor([[0.0], [0.0], [9.0], [9.0]])
        >>> kmeans_plus_plus(data, 2, torch.Generator().manual_seed(0)).sort(0).values.flatten()
        tensor([0., 9.])

    Source: Arthur, Vassilvitskii 2007, "k-means++".
    """
    rng = require_generator(rng, "kmeans_plus_plus", data.device)
    _require_points(data)
    if not 1 <= k <= len(data):
        raise ConfigurationError(f"k is {k} for {len(data)} data; it must lie in 1 … n")
    points = precise(data)
    width = scale_of((points.amax(0) - points.amin(0)).amax())
    weight = torch.ones_like(points[:, 0], dtype=torch.float64)
    chosen: list[Tensor] = []
    nearest = torch.full_like(points[:, 0], torch.inf)
    for _ in range(k):
        chosen.append(_drawn(weight, rng))
        away = (points - points[chosen[-1]]).div_(width)
        nearest = nearest.minimum(away.square().sum(1))
        weight = torch.where((nearest > 0).any(), nearest, 1.0)
    return data[torch.cat(chosen)]


def _require_points(data: Tensor) -> None:
    if data.ndim != 2 or data.numel() == 0:
        raise ShapeError(f"data has shape {tuple(data.shape)}; expected (n, d)")
    if not bool(require_floats("data", data).isfinite().all()):
        raise NonFiniteError(f"data {tuple(data.shape)} holds NaN or infinity; leave it out")


def _drawn(weight: Tensor, rng: torch.Generator) -> Tensor:
    """One row (1,) by weights (n,), of any number of rows; one without weight is never drawn."""
    total = weight.cumsum(0, dtype=torch.float64)
    level = torch.rand(1, generator=rng, dtype=torch.float64, device=rng.device) * total[-1]
    return torch.searchsorted(total, level, right=True).clamp(max=len(weight) - 1)
