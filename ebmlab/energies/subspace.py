"""`Subspace`: distance from the plane along which data vary most; its closed form."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts, require_shares
from ebmlab._events import require_vectors
from ebmlab._precise import SINGLE, Precise
from ebmlab._ranks import averaged, totaled
from ebmlab.energies.reconstruction import Reconstruction
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.types import Posterior, Tree

__all__ = ["Subspace"]


class _Plane(Precise, nn.Linear):
    """z -> W z + μ, whose mean adds up; W has the parameters' type."""

    floors: ClassVar = {"bias": SINGLE}

    def __init__(self, k: int, dim: int) -> None:
        # The shell draws no weights of its own.
        super().__init__(k, dim, bias=False, device="meta")
        self.weight = nn.Parameter(torch.eye(dim, k), requires_grad=False)
        del self.bias
        self.register_buffer("bias", torch.zeros(dim))

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias.to(self.weight.dtype))


class Subspace(Precise, Reconstruction):
    """E(y, z) = ‖W z + μ - y‖² with orthonormal W (d, k): principal components.

    Each commit pools mean and covariance of the data of all ranks with those so far, and sets μ
    to the mean and the columns of W to the leading eigenvectors, by falling variance; the largest
    entry of each is positive. No gradient moves them. The mean of min_z E is then the variance
    outside. Costs d² numbers and an eigendecomposition of d³ at every commit, both in double
    precision: components down to 1e-6 of the largest are told from rounding.

    Args:
        dim: d.
        k: how many components, 1 <= k <= d.
        decay: γ in [0, 1], by which the counts of earlier commits are multiplied: 1 for the mean
            of all data so far, 0 for the last batch.

    Attributes:
        variances: of the data along the columns of W, over n, (k,).

    Raises:
        NonFiniteError: on commit, y is NaN or infinite.

    Example:
        >>> energy = Subspace(2, 1)
        >>> energy.update(None, torch.tensor([[0.0, 3.0], [0.0, -3.0], [1.0, 0.0], [-1.0, 0.0]]))
        >>> energy.decoder.weight.flatten().tolist(), energy.variances.tolist()
        ([0.0, 1.0], [4.5])

    Source: Pearson 1901; Chan, Golub, LeVeque 1983 (pooling).
    """

    floors: ClassVar = {"covariance": torch.float64, "count": SINGLE, "variances": SINGLE}
    decoder: nn.Linear
    covariance: Tensor
    count: Tensor
    variances: Tensor

    def __init__(self, dim: int, k: int, *, decay: float = 1.0) -> None:
        require_counts(dim=dim, k=k)
        if k > dim:
            raise ConfigurationError(f"k is {k}; it must lie in 1 … dim = {dim}")
        require_shares(decay=decay)
        super().__init__(_Plane(k, dim), takes_x=False)
        self.decay = decay
        self.register_buffer("covariance", torch.zeros(dim, dim, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("variances", torch.zeros(k))

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Pool mean and covariance with the data's, and turn W to the leading eigenvectors."""
        mean = self.decoder.bias
        y = require_vectors("y", y, len(mean), "Subspace")
        data = y.reshape(-1, len(mean)).double() - mean
        kept, (way, found) = self.decay * self.count, averaged(data)
        rate = found / (kept + found)
        own = totaled((data - way).T @ (data - way)) / found
        between = (1 - rate) * way[:, None] * way
        covariance = self.covariance.lerp(own + between, rate)
        if not bool(covariance.isfinite().all()):
            raise NonFiniteError(f"y {tuple(y.shape)} holds NaN or infinity; mend the data")
        values, vectors = torch.linalg.eigh(covariance)
        k = self.decoder.in_features
        columns = vectors.flip(1)[:, :k]
        largest = columns.gather(0, columns.abs().argmax(0, keepdim=True))
        self.decoder.weight.copy_(columns * largest.sign())
        self.decoder.bias.add_(rate * way)
        self.variances.copy_(values.flip(0)[:k].clamp(min=0))
        self.covariance.copy_(covariance)
        self.count.copy_(kept + found)
