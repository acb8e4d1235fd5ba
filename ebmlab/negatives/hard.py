"""The hardest negatives only, or the harder ones counted more."""

import math

from ebmlab._checks import require_counts, require_non_negative, require_positive
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Draw, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["Hard", "Reweighted"]


class Hard(Shown, Negatives):
    """The k of other negatives with the lowest energies, for each datum.

    Raises:
        ConfigurationError: there are fewer than k.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Cosine
        >>> from ebmlab.negatives import InBatch
        >>> Hard(InBatch(), k=2)(Cosine(), torch.eye(4), torch.eye(4)).energies.shape
        torch.Size([4, 2])

    Source: Schroff, Kalenichenko, Philbin 2015, arXiv:1503.03832.
    """

    shows = ("negatives", "k")

    def __init__(self, negatives: Negatives, k: int = 1) -> None:
        super().__init__()
        require_counts(k=k)
        self.negatives, self.k = negatives, k

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Draw:
        """Energies (b, k), lowest first."""
        draw = self.negatives(energy, x, y, rng)
        if draw.energies.shape[1] < self.k:
            raise ConfigurationError(
                f"k is {self.k}, but there are {draw.energies.shape[1]} negatives for each datum"
            )
        return draw._replace(energies=draw.energies.topk(self.k, dim=1, largest=False).values)


class Reweighted(Shown, Negatives):
    """Negatives with weights w_j ∝ exp(-β E_j / τ) of mean 1, for a loss that sums exp(-E_j / τ).

    E'_j = E_j - τ log w_j, so that exp(-E'_j / τ) = w_j exp(-E_j / τ): with `InfoNCE(τ)` harder
    negatives count more, and β = 0 changes nothing.

    Args:
        negatives: which to weigh.
        beta: β >= 0.
        temperature: τ > 0, that of the loss.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Cosine
        >>> from ebmlab.negatives import InBatch
        >>> negatives = Reweighted(InBatch(), temperature=0.5)
        >>> negatives(Cosine(), torch.eye(3), torch.eye(3)).energies.abs().max()
        tensor(0.)

    Source: Robinson, Chuang, Sra, Jegelka 2021, arXiv:2010.04592, without the positives' prior.
    """

    shows = ("negatives", "beta", "temperature")

    def __init__(self, negatives: Negatives, beta: float = 1.0, temperature: float = 0.5) -> None:
        super().__init__()
        require_non_negative("beta", beta)
        require_positive("temperature", temperature)
        self.negatives, self.beta, self.temperature = negatives, beta, temperature

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Draw:
        """Energies (b, k) with the weights in them."""
        draw = self.negatives(energy, x, y, rng)
        log_w = -self.beta * draw.energies / self.temperature
        log_mean = log_w.logsumexp(1, keepdim=True) - math.log(log_w.shape[1])
        return draw._replace(energies=draw.energies - self.temperature * (log_w - log_mean))
