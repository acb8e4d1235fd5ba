"""Recipes in which z is one of finitely many codes that data move: clusters and quantizers."""

import torch
from torch import Tensor, nn

from ebmlab.energies import Clusters, Components, Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate, Nearest
from ebmlab.methods.cards import card
from ebmlab.objectives import Regularized, VectorQuantized
from ebmlab.protocols import Method

__all__ = ["gmm", "kmeans", "vq_vae"]


@card(
    energy="‖c_z - y‖²",
    z="nearest of K",
    objective="mean energy, Lloyd",
    collapse="few values of z",
)
def kmeans(
    centers: Tensor, temperature: float = 0.0, *, decay: float = 0.0, restart: float | None = 0.0
) -> Method:
    """K-means: F(y) = min over z of ‖y - c_z‖²; each commit is Lloyd's step on its batch.

    The K values of z prevent collapse. `fit` needs no optimizer; the mean loss is the inertia
    over n. At T > 0 clusters are soft (deterministic annealing).

    Args:
        centers: where they start, (K, d), as `energies.kmeans_plus_plus` finds them.
        temperature: T >= 0, in the units of y squared.
        decay: 0 for full batches, above for minibatches; see `Clusters`.
        restart: what an empty cluster does; see `Clusters`.

    Source: Lloyd 1982; Rose 1998, "Deterministic annealing" (T > 0).
    """
    energy = Clusters(centers, decay=decay, restart=restart)
    which = Enumerate(torch.arange(len(centers), device=centers.device))
    return Method(FreeEnergy(energy, which, temperature), Regularized())


@card(
    energy="-log N(y; μ_z, Σ_z)",
    z="summed, weights w_z",
    objective="-log p(y), EM",
    collapse="p(y) is normalized",
)
def gmm(
    means: Tensor,
    covariances: Tensor,
    weights: Tensor | None = None,
    *,
    decay: float = 0.0,
    regularization: float = 1e-6,
) -> Method:
    """Gaussian mixture: F(y) = -log Σ_k w_k N(y; μ_k, Σ_k); each commit is a step of EM.

    It is a normalized likelihood, so that nothing can collapse but a component onto a single
    datum: `regularization` keeps it from that. `fit` needs no optimizer.

    Args:
        means: where they start, (K, d).
        covariances: likewise; (K, d, d) full, (K, d) diagonal, (K,) spherical.
        weights: likewise, (K,); equal if left out.
        decay: 0 for full batches, above for minibatches; see `Components`.
        regularization: added to the variances.

    Source: Dempster, Laird, Rubin 1977.
    """
    energy = Components(means, covariances, decay=decay, regularization=regularization)
    weights = torch.ones_like(means[:, 0]) if weights is None else weights
    which = Enumerate(torch.arange(len(means), device=means.device), weights, decay=decay)
    return Method(FreeEnergy(energy, which, 1.0), Regularized())


@card(
    energy="‖g(c_z) - y‖²",
    z="code nearest to f(y)",
    objective="mean + β ‖f - sg c‖²",
    collapse="few codes",
)
def vq_vae(
    encoder: nn.Module,
    decoder: nn.Module,
    codebook: Tensor,
    commitment: float = 0.25,
    *,
    decay: float = 0.99,
    restart: float | None = 0.01,
    distance: Energy | None = None,
    parts: bool = False,
) -> Method:
    """VQ-VAE: F(y) = distance(g(e), y), e the code nearest to f(y); codes follow the f(y).

    The K codes prevent collapse: z carries at most log K nats a part.

    Args beside those that recipes share:
        encoder: f, to (n, d), or to (n, parts, d), which are quantized one by one.
        codebook: where codes start, (K, d): moving averages, or learned by gradient if it is a
            Parameter.
        commitment: β, how strongly f(y) is held near its code.
        decay: of the moving averages; see `Codebook`.
        restart: share of the mean count at or below which a code begins again at data.
        parts: whether the encoder gives several vectors.

    Source: van den Oord, Vinyals, Kavukcuoglu 2017, arXiv:1711.00937.
    """
    energy = Reconstruction(decoder, distance, takes_x=False, z_ndim=2 if parts else 1)
    infer = Nearest(codebook, encoder, decay=decay, restart=restart)
    return Method(FreeEnergy(energy, infer), VectorQuantized(commitment), encoder=encoder)
