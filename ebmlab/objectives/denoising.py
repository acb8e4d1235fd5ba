"""Reconstruct the clean datum from the z of a corrupted one."""

from ebmlab._checks import require_generator, require_positive, require_tensor
from ebmlab._kinds import require_a, require_floats
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Rng, Tree

__all__ = ["Denoising"]


class Denoising(Objective):
    """mean E_q[E(x, y, z)] + T · information, where q(z) has seen y + σξ only, ξ ~ N(0, 1).

    A z that copies y is no longer the best one, which keeps wide codes from learning nothing. The
    best reconstruction r(ỹ) is E[y | ỹ], and r(ỹ) - ỹ tends to σ² times the score of the data.

    Args:
        sigma: σ > 0, in the units of y.

    Terms: `denoising`. Metrics: `e_pos`, the energy without the information.

    Raises:
        ConfigurationError: rng is missing, or no z is inferred.

    Example:
        >>> import torch
        >>> from ebmlab import methods
        >>> f, g = torch.nn.Linear(3, 2), torch.nn.Linear(2, 3)
        >>> method = methods.denoising_autoencoder(f, g, sigma=0.1)
        >>> sorted(method(None, torch.ones(4, 3), torch.Generator()).terms)
        ['denoising']

    Source: Vincent, Larochelle, Bengio, Manzagol 2008; Alain, Bengio 2014, arXiv:1211.4246.
    """

    shows = ("sigma",)

    def __init__(self, sigma: float) -> None:
        super().__init__()
        require_positive("sigma", sigma)
        self.sigma = sigma

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The energy of clean data under the z of noisy ones."""
        mend = "FreeEnergy(energy, infer)"
        energy = require_a(FreeEnergy, "Denoising infers z: the energy", energy, mend)
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "Denoising", y.device)
        noisy = y + self.sigma * noise_like(y, rng)
        q = energy.posterior(x, noisy, rng=rng)
        e_pos = (q.weights * energy.energy(x, y, q.atoms, rng=rng)).sum(0).mean()
        value = e_pos + energy.temperature * q.information.mean()
        return Loss(value, {"denoising": value.detach()}, {"e_pos": e_pos.detach()})
