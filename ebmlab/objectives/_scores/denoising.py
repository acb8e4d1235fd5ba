"""Match the slope of the energy instead of its height: no negatives, no log Z."""

import torch
from torch import Tensor

from ebmlab._checks import require_generator, require_positive, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums, rows
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.objectives._sloped import sloped
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["DenoisingScore"]


class DenoisingScore(Objective):
    """Denoising score matching: ½ E ‖σ ∇E(x, y + σξ) - ξ‖², ξ ~ N(0, 1), summed over the event.

    The minimizer's score -∇E is that of the data blurred by N(0, σ²). The factor σ² beside
    Vincent's form makes the loss comparable between noise levels: it is d/2 for a flat energy.

    Of a range of σ one energy learns the way back from all levels, which it is not told: in many
    dimensions y + σξ shows how far it is from the data. It is then no log density of one blur, but
    holds y at once where details are and far from the data. `MultiScaleScore` is told σ.

    Args:
        sigma: σ > 0, in the units of y; or (low, high), between which log σ is uniform, drawn for
            each datum.

    Metrics: `e_noisy`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> rng = torch.Generator().manual_seed(0)
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> DenoisingScore(0.1)(energy, None, torch.zeros(8, 2), rng).value > 0
        tensor(True)

    Source: Vincent 2011, "A connection between score matching and denoising autoencoders"; Li,
    Chen, Sommer 2019, arXiv:1910.07762 (a range).
    """

    shows = ("sigma",)

    def __init__(self, sigma: float | tuple[float, float]) -> None:
        super().__init__()
        low, high = sigma if isinstance(sigma, tuple) else (sigma, sigma)
        require_positive("sigma", low)
        require_positive("sigma", high)
        if low > high:
            raise ConfigurationError(f"sigma is {sigma}; a range is (low, high), low <= high")
        self.sigma, self.low, self.high = sigma, low, high

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds the second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "DenoisingScore", y.device)
        noise = noise_like(y, rng)
        sigma = self._levels(y, rng)
        noisy = (y + sigma * noise).detach()
        at = sloped(energy, lambda free: energy(x, free, rng=rng), noisy)
        value = 0.5 * row_sums(precise(sigma * at.grad - noise).square()).mean()
        metrics = {"e_noisy": at.energies.detach().mean(), "batch_norm": at.coupled}
        return Loss(value, {"denoising_score": value.detach()}, metrics)

    def _levels(self, y: Tensor, rng: torch.Generator) -> Tensor | float:
        """σ, or one for each datum."""
        if self.low == self.high:
            return self.low
        share = torch.rand(len(y), generator=rng, dtype=precise(y).dtype, device=y.device)
        return rows(self.low * (self.high / self.low) ** share, y).to(y.dtype)
