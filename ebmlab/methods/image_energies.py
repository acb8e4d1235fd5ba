"""Energies of images whose chains from noise end in pictures."""

from torch import nn

from ebmlab.energies import GaussianNLL, Reconstruction
from ebmlab.energy import Energy
from ebmlab.inference import Amortized
from ebmlab.methods.cards import card
from ebmlab.networks import Mean
from ebmlab.objectives import Encoded, MultiScaleScore
from ebmlab.protocols import Method

__all__ = ["image_energy"]


@card(
    energy="-log p(y | z) + E(σ, z)",
    z="a draw of N(f(y))",
    objective="bound; slopes in z + σξ, and in σ",
    collapse="p(y | z) is normalized",
)
def image_energy(
    encoder: nn.Module,
    decoder: nn.Module,
    prior: Energy,
    *,
    std: float = 0.1,
    low: float = 0.1,
    high: float = 3.0,
    time: float = 0.0,
) -> Method:
    """A decoder whose prior is an energy of its codes: E(y, z) = ‖y - g(z)‖²/2s² + E(σ, z).

    Encoder and decoder are those of a `vae`; its N(0, 1) holds the codes at unit scale, and the
    learned prior says where in it codes lie.

    Args:
        encoder: y to the mean and log standard deviation of q(z | y), see `GaussianHead`.
        decoder: z to an image.
        prior: E(σ, z), and at x = None that of the lowest level: `Denoised(Denoiser(dim), low)`.
        std: s, in the units of pixels.
        low: the lowest noise level of the codes, about as wide as q(z | y).
        high: the highest one, from which chains walk down.
        time: weight of the slope in σ, see `MultiScaleScore`.

    Source: Pang, Han, Nijkamp, Zhu, Wu 2020, arXiv:2006.08205; Vahdat, Kreis, Kautz 2021,
    arXiv:2106.05931.
    """
    energy = Reconstruction(decoder, GaussianNLL(std, ndim=3), prior, takes_x=False)
    objective = Encoded(Amortized(encoder), MultiScaleScore(low, high, time))
    return Method(energy, objective, encoder=Mean(encoder))
