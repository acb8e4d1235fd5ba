"""Match the slope of the energy instead of its height: no negatives, no log Z."""

from ebmlab._checks import require_generator, require_positive, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.objectives._sloped import sloped
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["DenoisingScore"]


class DenoisingScore(Objective):
    """Denoising score matching: ½ E ‖σ ∇E(x, y + σξ) - ξ‖², ξ ~ N(0, 1), summed over the event.

    The minimizer's score -∇E is that of the data blurred by N(0, σ²). The factor σ² beside
    Vincent's form makes the loss comparable between noise levels: it is d/2 for a flat energy.

    Args:
        sigma: σ > 0, in the units of y.

    Metrics: `e_noisy`, `batch_norm`.

    Raises:
        GradientError: the energy does not depend on y.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Gaussian
        >>> rng = torch.Generator().manual_seed(0)
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> DenoisingScore(0.1)(energy, None, torch.zeros(8, 2), rng).value > 0
        tensor(True)

    Source: Vincent 2011, "A connection between score matching and denoising autoencoders".
    """

    shows = ("sigma",)

    def __init__(self, sigma: float) -> None:
        super().__init__()
        require_positive("sigma", sigma)
        self.sigma = sigma

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds the second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "DenoisingScore", y.device)
        noise = noise_like(y, rng)
        noisy = (y + self.sigma * noise).detach()
        at = sloped(energy, lambda free: energy(x, free, rng=rng), noisy)
        value = 0.5 * row_sums(precise(self.sigma * at.grad - noise).square()).mean()
        metrics = {"e_noisy": at.energies.detach().mean(), "batch_norm": at.coupled}
        return Loss(value, {"denoising_score": value.detach()}, metrics)
