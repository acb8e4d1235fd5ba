"""`Components`: Gaussians to choose between, z being which; their M-step."""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_index, require_non_negative, require_shares
from ebmlab._events import require_vectors
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._ranks import totaled
from ebmlab.energies.clusters import answered
from ebmlab.energies.covariances import kind_of
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DivergenceError, ShapeError
from ebmlab.types import Posterior, Tree

__all__ = ["Components"]


class Components(Precise, Energy):
    """E(y, z) = -log N(y; μ_z, Σ_z), z in {0, …, K - 1}, in nats.

    Normalized for each z: with z enumerated at T = 1 under weights w, the free energy is
    -log Σ_k w_k N(y; μ_k, Σ_k). The M-step sets means and covariances to those of the data that
    each component answers for, on all ranks; one that answers for nothing stays as it is.

    Args:
        means: μ (K, d).
        covariances: Σ; (K, d, d) full, (K, d) diagonal or (K,) spherical.
        decay: γ in [0, 1], by which the counts of earlier commits are multiplied: 0 for full
            batches (EM), 1 for all minibatches so far, or between. The start counts as one datum.
        regularization: added to the variances at each M-step, in the units of y squared.

    Raises:
        DivergenceError: in the M-step a covariance becomes singular: the likelihood has no bound.

    Example:
        >>> energy = Components(torch.zeros(2, 1), torch.ones(2))
        >>> energy(None, torch.zeros(1, 1), torch.tensor([0]))
        tensor([0.9189])

    Source: Dempster, Laird, Rubin 1977; Cappé, Moulines 2009, arXiv:0712.4273 (minibatches).
    """

    shows = ("means", "covariances", "regularization")
    takes_x, takes_z = False, True
    z_ndim = 0
    floors: ClassVar = dict.fromkeys(("means", "covariances", "whitening", "counts"), SINGLE)
    means: Tensor
    covariances: Tensor
    whitening: Tensor
    counts: Tensor

    def __init__(
        self,
        means: Tensor,
        covariances: Tensor,
        *,
        decay: float = 0.0,
        regularization: float = 1e-6,
    ) -> None:
        super().__init__()
        if means.ndim != 2 or means.numel() == 0:
            raise ShapeError(f"means has shape {tuple(means.shape)}; expected (K, d)")
        self.kind = kind_of(covariances, *means.shape)
        require_shares(decay=decay)
        require_non_negative("regularization", regularization)
        means, covariances = precise(means.detach()), precise(covariances.detach())
        whitening, sound = self.kind.whitening(covariances)
        symmetric = covariances.ndim < 3 or torch.allclose(covariances, covariances.mT)
        if not symmetric or not bool(sound.all() & means.isfinite().all()):
            raise ConfigurationError(
                "means must be finite, covariances symmetric and positive definite"
            )
        self.decay, self.regularization = decay, regularization
        self.register_buffer("means", means.clone())
        self.register_buffer("covariances", covariances.clone())
        self.register_buffer("whitening", whitening)
        self.register_buffer("counts", torch.ones_like(means[:, 0]))

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """½ (y - μ)ᵀ Σ⁻¹ (y - μ) + ½ log det Σ + (d/2) log 2π."""
        dim, z = self.means.shape[1], require_index("z", z)
        y = require_vectors("y", y, dim, "Components")
        whitening = self.whitening[z]
        squared = self.kind.whiten(whitening, y - self.means[z]).square().sum(-1)
        log_det = self.kind.log_det(whitening, dim)
        return 0.5 * (squared + log_det + dim * math.log(2 * math.pi))

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior] | None = None) -> None:
        """Means and covariances of the data, pooled with those of earlier commits."""
        if q is None:
            return
        data, index, weights = answered(q(), y)
        shares = self.means.new_zeros(len(self.means), len(data))
        shares.scatter_add_(0, index, weights.to(shares.dtype))
        data = data.to(shares.dtype)
        found, kept = totaled(shares.sum(1)), self.decay * self.counts
        safe = torch.where(found > 0, found, 1.0)
        # The pooled moments of two samples, about the mean of each.
        way = totaled(shares @ (data - self.means.mean(0))) / safe[:, None]
        way = way - (self.means - self.means.mean(0))
        rate = torch.where(found > 0, found / (kept + safe), 0.0)
        centers = self.means + way
        moments = [self.kind.moment(data - c, s) for c, s in zip(centers, shares, strict=True)]
        spread = totaled(torch.stack(moments))
        apart = torch.stack([self.kind.moment(v[None], v.new_ones(1)) for v in way])
        rank = (-1, *[1] * (spread.ndim - 1))
        own = spread / safe.reshape(rank) + self.kind.ridge(self.covariances, self.regularization)
        between = (1 - rate).reshape(rank) * apart
        covariances = self.covariances.lerp(own + between, rate.reshape(rank))
        whitening, sound = self.kind.whitening(covariances)
        if not bool(sound.all()):
            raise DivergenceError(
                f"covariances: that of component {int((~sound).nonzero()[0])} has become singular "
                "or is not finite, and the likelihood has no bound; raise `regularization` "
                f"({self.regularization}), or start from other means"
            )
        self.means.add_(rate[:, None] * way)
        self.covariances.copy_(covariances)
        self.whitening.copy_(whitening)
        self.counts.copy_(kept + found)
