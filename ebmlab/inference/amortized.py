"""An encoder that guesses z at once."""

import torch
from torch import nn

from ebmlab._checks import require_counts
from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import one_atom
from ebmlab.inference._encoding import encoded, gaussian_noise, require_log_std
from ebmlab.types import Rng, Tree

__all__ = ["Amortized"]


class Amortized(Inference):
    """z from an encoder of (x, y), with gradients into the encoder.

    At T = 0 z is the encoder's point, or its mean. At T > 0 the encoder's Gaussian is sampled by
    z = μ + σ ξ, and the information is KL(N(μ, σ²) || N(0, 1)) = ½ Σ (μ² + σ² - 1 - log σ²): with
    T = 1 and a reconstruction energy, F is the negative evidence lower bound. The value is an
    upper bound of the free energy with a standard normal prior.

    Args:
        encoder: maps (x, y), or y alone where there is no x, to z or to the pair
            (mean, log_std), each (n, *event).
        samples: draws of z per datum at T > 0.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Linear(1, 2), takes_x=False)
        >>> Amortized(nn.Linear(2, 1))(energy, None, torch.ones(3, 2)).atoms.shape
        torch.Size([1, 3, 1])

    Source: Kingma, Welling 2014, arXiv:1312.6114; Kavukcuoglu, Ranzato, LeCun 2010.
    """

    stochastic = True

    def __init__(self, encoder: nn.Module, samples: int = 1) -> None:
        super().__init__()
        require_counts(samples=samples)
        self.encoder, self.samples = encoder, samples

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """One point at T = 0, `samples` reparametrized draws at T > 0."""
        mean, log_std = encoded(self.encoder, energy, x, y)
        if temperature == 0:
            return one_atom(mean, single_ndim(energy))
        log_std = require_log_std(log_std)
        noise = gaussian_noise(mean, self.samples, rng, "Amortized")
        lead = mean.shape[: mean.ndim - single_ndim(energy)]
        nats = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std)
        information = nats.reshape(*lead, -1).sum(-1)
        weights = mean.new_full((self.samples, *lead), 1 / self.samples)
        residual = torch.zeros_like(information)
        return Posterior(mean + log_std.exp() * noise, weights, information, residual)
