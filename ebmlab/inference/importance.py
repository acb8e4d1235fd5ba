"""An encoder's guesses of z, weighed by how well each explains the data."""

import math

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import one_atom
from ebmlab.inference._encoding import encoded, gaussian_noise, require_log_std
from ebmlab.types import Rng, Tree

__all__ = ["ImportanceWeighted", "log_ratio"]


class ImportanceWeighted(Inference):
    """Draws z_k = μ + σ ξ_k of an encoder's Gaussian q, weighed against the prior p = N(0, 1).

    At T > 0 the free energy is F = -T log (1/K) Σ_k exp(-E_k / T) p(z_k) / q(z_k), an upper bound
    of -T log E_p exp(-E / T) in the mean over the draws, which tightens with K. At K = 1 it is the
    bound of `Amortized` with a sampled information in the place of the divergence. Weights are
    w_k ∝ exp(ℓ_k), ℓ_k = log p(z_k) - log q(z_k) - E_k / T; the information
    Σ_k w_k (log w_k + log q(z_k) - log p(z_k) + log K) is an estimate, which draws may make
    negative. At T = 0 z is the encoder's mean.

    Args:
        encoder: maps (x, y), or y alone where there is no x, to the pair (mean, log_std), each
            (n, dim).
        samples: K, draws of z per datum.
        doubly: the gradient through z is reparametrized once more: Σ_k w_k² ∂ℓ_k/∂z_k ∂z_k with no
            term of log q's own parameters. In the mean it is the encoder's same gradient, with
            less noise the better q is; that in the energy's parameters is as ever. No gradient in
            y itself is right under it.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> from ebmlab.networks import GaussianHead
        >>> energy = Reconstruction(nn.Linear(1, 2), takes_x=False)
        >>> infer = ImportanceWeighted(GaussianHead(nn.Linear(2, 2)), samples=5)
        >>> infer(energy, None, torch.ones(3, 2), 1.0, rng=torch.Generator()).weights.shape
        torch.Size([5, 3])

    Source: Burda, Grosse, Salakhutdinov 2016, arXiv:1509.00519; Tucker, Lawson, Gu, Maddison 2019,
    arXiv:1810.04152.
    """

    shows = ("samples", "doubly")
    stochastic = True

    def __init__(self, encoder: nn.Module, samples: int = 50, *, doubly: bool = False) -> None:
        super().__init__()
        require_counts(samples=samples)
        self.encoder, self.samples, self.doubly = encoder, samples, doubly

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """One point at T = 0, `samples` weighed draws at T > 0."""
        mean, log_std = encoded(self.encoder, energy, x, y)
        if temperature == 0:
            return one_atom(mean, single_ndim(energy))
        log_std = require_log_std(log_std)
        atoms = mean + log_std.exp() * gaussian_noise(mean, self.samples, rng, type(self).__name__)
        if self.doubly:
            mean, log_std = mean.detach(), log_std.detach()
        energies, nats = energy(x, y, atoms, rng=rng), log_ratio(atoms, mean, log_std)
        log_w = (-energies / temperature - nats).log_softmax(0)
        weights = log_w.exp()
        if self.doubly and atoms.requires_grad:
            share = weights.detach()[..., None]
            atoms.register_hook(lambda slope: share * slope)
        gained = (log_w + nats).masked_fill(weights == 0, 0.0)
        information = (weights * gained).sum(0) + math.log(self.samples)
        return Posterior(atoms, weights, information, torch.zeros_like(information), energies)


def log_ratio(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log N(z; μ, σ²) - log N(z; 0, 1), summed over the event."""
    off = (z - mean) * (-log_std).exp()
    return (0.5 * (z.square() - off.square()) - log_std).sum(-1)
