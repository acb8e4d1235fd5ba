"""Noise-contrastive estimation: data against draws of a known density, one by one."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._events import sound
from ebmlab.energies import Density
from ebmlab.energy import Energy
from ebmlab.negatives.coupling import batch_norm
from ebmlab.negatives.noise import draws_like
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["NCE"]


class NCE(Objective):
    """-E_data log σ(G(y)) - k E_noise log σ(-G(y')), G(y) = -E(x, y) - log(k q(y)).

    The optimum is E = -log p(y | x) with its constant: log Z is learned with the rest, in a term
    of its own in `energy + Constant()`. The error is small where q is near the data's density,
    and nothing is learned where q never draws.

    Args:
        noise: the density q, which must not vanish where data are.
        k: draws of it per datum.

    Terms: `nce`. Metrics: `e_pos`, `e_neg` (means), `accuracy` (mean of the shares of data and of
    noise that are told right: near 1 the noise is too easy), and `batch_norm`.

    Raises:
        ShapeError: the noise is not of points like y.
        ConfigurationError: rng is missing.

    Example:
        >>> from ebmlab.energies import MLP, Constant, Gaussian
        >>> noise = Gaussian(torch.zeros(2), torch.eye(2))
        >>> loss = NCE(noise, k=4)(MLP(2) + Constant(), None, torch.zeros(8, 2), torch.Generator())
        >>> sorted(loss.terms)
        ['nce']

    Source: Gutmann, Hyvärinen 2012, "Noise-contrastive estimation of unnormalized statistical
    models"; Mnih, Teh 2012, arXiv:1206.6426 (conditional).
    """

    shows = ("k",)

    def __init__(self, noise: Density, k: int = 1) -> None:
        super().__init__()
        require_counts(k=k)
        self.noise, self.k = noise, k

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The logistic loss; data and noise are judged in one pass, so that x is encoded once."""
        y = require_tensor("y", y)
        rng = require_generator(rng, "NCE", y.device)
        draws = draws_like(self.noise, y, self.k, rng)
        both = torch.cat([y[None], draws])
        coupled = batch_norm(energy, both, stacklevel=4)
        energies = energy(x, both, rng=rng)
        logits = -energies - (self._log_density(both).to(energies) + math.log(self.k))
        real, fake = logits[0], logits[1:]
        told = sound(functional.softplus(-real), energies[0])
        value = told.mean() + functional.softplus(fake).sum(0).mean()
        right = 0.5 * ((real > 0).to(value).mean() + (fake < 0).to(value).mean())
        low, high = energies[0].detach().mean(), energies[1:].detach().mean()
        metrics = {"e_pos": low, "e_neg": high, "accuracy": right, "batch_norm": coupled}
        return Loss(value, {"nce": value.detach()}, metrics)

    @torch.no_grad()
    def _log_density(self, y: Tensor) -> Tensor:
        """Log q(y), in the noise's own precision."""
        own = next((t.dtype for t in self.noise.buffers() if t.is_floating_point()), y.dtype)
        return self.noise.log_prob(y.to(own) if y.is_floating_point() else y)
