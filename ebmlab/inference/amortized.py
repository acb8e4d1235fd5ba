"""An encoder that guesses z at once."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab.checks import (
    Ndim,
    over_batch,
    require_generator,
    require_non_negative,
    require_one_kind,
    require_tensor,
)
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.types import Tree

__all__ = ["Amortized"]


class Amortized(nn.Module, Inference):
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
    stochastic: ClassVar[bool] = True

    def __init__(self, encoder: nn.Module, samples: int = 1) -> None:
        super().__init__()
        if samples < 1:
            raise ConfigurationError(f"samples is {samples}; it must be at least 1")
        self.encoder = encoder
        self.samples = samples

    def __call__(
        self,
        energy: Energy,
        x: Tree,
        y: Tree,
        temperature: float = 0.0,
        *,
        rng: torch.Generator | None = None,
    ) -> Posterior:
        """One point at T = 0, `samples` reparametrized draws at T > 0."""
        require_non_negative("temperature", temperature)
        mean, log_std = self._encode(energy, x, y)
        zero = mean.new_zeros(mean.shape[:-1])
        if temperature == 0:
            return Posterior(mean[None], torch.ones_like(zero)[None], zero, zero)
        if log_std is None:
            raise ConfigurationError(
                "temperature > 0 needs a distribution: let the encoder return (mean, log_std)"
            )
        rng = require_generator(rng, "Amortized", mean.device)
        shape = (self.samples, *mean.shape)
        noise = torch.randn(shape, generator=rng, dtype=mean.dtype, device=mean.device)
        information = 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
        weights = torch.ones_like(noise[..., 0]) / self.samples
        return Posterior(mean + log_std.exp() * noise, weights, information, zero)

    def _encode(self, energy: Energy, x: Tree, y: Tree) -> tuple[Tensor, Tensor | None]:
        inputs = [(require_tensor("y", y), _single(energy.y_ndim))]
        if energy.takes_x and x is not None:
            inputs.insert(0, (require_tensor("x", x), _single(energy.x_ndim)))
        require_one_kind(self, {"y": y})
        out = over_batch(self.encoder, *inputs)
        return out if isinstance(out, tuple) else (out, None)


def _single(ndim: Ndim) -> int:
    if isinstance(ndim, int):
        return ndim
    raise ConfigurationError("Amortized encodes one tensor each for x and y, not tuples of views")
