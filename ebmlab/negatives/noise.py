"""Draws from a fixed density as negatives."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_device, require_generator, require_tensor
from ebmlab._shown import Shown
from ebmlab.energies import Density
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.negatives.coupling import batch_norm
from ebmlab.protocols import Draw, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["Noise", "draws_like"]


class Noise(Shown, Negatives):
    """Draws from a fixed density, k for each datum.

    With `InfoNCE` and a uniform density the optimum is E = -log p(y | x) + c(x); with another
    density q it is E = -log p(y | x) + log q(y) + c(x).

    Args:
        density: has `sample(n, rng)`.
        k: draws per datum.

    Metrics: `batch_norm` (1 where it couples data and negatives).

    Example:
        >>> import torch
        >>> from ebmlab.energies import MLP, Uniform
        >>> noise = Noise(Uniform(-torch.ones(2), torch.ones(2)), k=16)
        >>> noise(MLP(2), None, torch.zeros(4, 2), torch.Generator()).energies.shape
        torch.Size([4, 16])

    Source: Gutmann, Hyvärinen 2010; Ma, Collins 2018, arXiv:1809.01812.
    """

    shows = ("k",)

    def __init__(self, density: Density, k: int = 1) -> None:
        super().__init__()
        require_counts(k=k)
        self.density, self.k = density, k

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, k) of x with each draw."""
        y = require_tensor("y", y)
        draws = draws_like(self.density, y, self.k, require_generator(rng, "Noise", y.device))
        energies = energy(x, draws, rng=rng)
        return Draw(energies.mT, {"batch_norm": batch_norm(energy, draws, stacklevel=3)})


def draws_like(density: Density, y: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """Draws (k, *y.shape) of a density, k for each y; raises where they are not like y."""
    for own in density.buffers():
        require_device("the noise", own.device, {"y": y})
    draws = density.sample(k * len(y), rng).to(y.dtype)
    if draws.shape[1:] != y.shape[1:]:
        raise ShapeError(
            f"y has shape {tuple(y.shape)}, but the noise draws {tuple(draws.shape)}: its "
            "density must be one of points like y"
        )
    return draws.reshape(k, *y.shape)
