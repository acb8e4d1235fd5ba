"""An encoder that guesses z at once."""

from typing import ClassVar

import torch
from torch import nn

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Bound, Inference, Posterior
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
            (mean, log_std), each (n, dim).
        samples: draws of z per datum at T > 0.

    Raises:
        ConfigurationError: samples < 1, T < 0, no rng at T > 0, or no (mean, log_std) there.

    Example:
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Linear(1, 2), takes_x=False)
        >>> Amortized(nn.Linear(2, 1))(energy, None, torch.ones(3, 2)).atoms.shape
        torch.Size([1, 3, 1])

    Source: Kingma, Welling 2014, arXiv:1312.6114; Kavukcuoglu, Ranzato, LeCun 2010.
    """

    bound: ClassVar[Bound] = "upper"
    stochastic = True

    def __init__(self, encoder: nn.Module, samples: int = 1) -> None:
        super().__init__()
        if samples < 1:
            raise ConfigurationError(f"samples is {samples}; it must be at least 1")
        self.encoder = encoder
        self.samples = samples

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """One point at T = 0, `samples` reparametrized draws at T > 0."""
        mean, log_std = encoded(self.encoder, energy, x, y)
        zero = mean.new_zeros(mean.shape[:-1])
        if temperature == 0:
            return Posterior(mean[None], torch.ones_like(zero)[None], zero, zero)
        log_std = require_log_std(log_std)
        noise = gaussian_noise(mean, self.samples, rng, "Amortized")
        information = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
        weights = torch.ones_like(noise[..., 0]) / self.samples
        return Posterior(mean + log_std.exp() * noise, weights, information, zero)
