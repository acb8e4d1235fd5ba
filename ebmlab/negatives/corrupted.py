"""Corrupted data as negatives."""

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._kinds import name_of, require_floats
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.negatives.coupling import batch_norm
from ebmlab.perturbations import Corruption
from ebmlab.protocols import Draw, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["Corrupted"]


class Corrupted(Shown, Negatives):
    """k corrupted copies of each datum.

    `Contrastive(log_loss, Corrupted(…))` is conditional noise-contrastive estimation: with a
    symmetric corruption its optimum is E = -log p(y | x) + c(x), no density of noise being known.

    Args:
        corruption: (y, rng) -> y, n points at a time: of `ebmlab.perturbations`, or your own.
        k: copies per datum.

    Metrics: `batch_norm` (1 where it couples data and negatives).

    Raises:
        ShapeError: the corruption returns another shape than it was given.

    Example:
        >>> import torch
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.perturbations import Gaussian
        >>> negatives = Corrupted(Gaussian(0.25), k=4)
        >>> negatives(MLP(2), None, torch.zeros(8, 2), torch.Generator()).energies.shape
        torch.Size([8, 4])

    Source: Ceylan, Gutmann 2018, arXiv:1806.03664.
    """

    shows = ("corruption", "k")

    def __init__(self, corruption: Corruption, k: int = 1) -> None:
        super().__init__()
        require_counts(k=k)
        self.corruption, self.k = corruption, k

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, k) of x with each copy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "Corrupted", y.device)
        copies = y.repeat(self.k, *[1] * (y.ndim - 1))
        changed = self.corruption(copies, rng)
        if changed.shape != copies.shape:
            raise ShapeError(
                f"{name_of(self.corruption)} returned {tuple(changed.shape)} for y "
                f"{tuple(copies.shape)}; expected the same shape"
            )
        energies = energy(x, changed.reshape(self.k, *y.shape), rng=rng)
        return Draw(energies.mT, {"batch_norm": batch_norm(energy, changed, stacklevel=3)})
