"""Recipes in which a generator that learns is the source of negatives."""

from torch import nn
from torch.nn import functional

from ebmlab.energies import Autoencoder
from ebmlab.energy import Energy
from ebmlab.losses import Levels, difference, logistic
from ebmlab.methods.cards import card
from ebmlab.networks import Generator
from ebmlab.objectives import (
    Adversarial,
    Cooperative,
    Entropic,
    Fooling,
    GradientPenalty,
    Repelled,
)
from ebmlab.perturbations import Between
from ebmlab.protocols import Method, Sampler
from ebmlab.samplers import MALA

__all__ = ["cooperative", "ebgan", "gan", "vera", "wgan_gp"]

# For points of unit scale.
POINTS = MALA(0.03)


@card(energy="any E(x, y)", objective="logistic, data or g(z)", collapse="g learns to fool E")
def gan(energy: Energy, generator: Generator, r1: float = 0.003) -> Method:
    """GAN: the energy tells data from fakes, and the generator seeks low energies.

    The generator descends softplus(E), which does not saturate; R1 keeps the critic from running
    ahead of it. Adam with β₁ = 0 goes with both players; step sizes that fall end their circling.
    E tends to log p_g - log p_data, and is flat at last: it is a critic, not a density.

    Args beside those that recipes share:
        generator: g(z), or g(x, z) where it takes x.
        r1: weight of ‖∂E/∂y‖² at the data; more of it blurs, less lets the players circle.

    Source: Goodfellow et al. 2014, arXiv:1406.2661; Mescheder, Geiger, Nowozin 2018,
    arXiv:1801.04406.
    """
    game = Fooling(logistic, functional.softplus)
    return Method(energy, Adversarial(generator, game) + r1 * GradientPenalty())


@card(energy="any E(y)", objective="E(y) - E(g(z))", collapse="slope of E held at 1")
def wgan_gp(energy: Energy, generator: Generator, weight: float = 1.0, every: int = 5) -> Method:
    """WGAN-GP: E(y) - E(g(z)) of an energy whose slope is near 1 between data and fakes.

    At its optimum the gap is the earth mover's distance of the generator to the data.

    Args beside those that recipes share:
        generator: g(z), of no x.
        weight: of (‖∂E/∂y‖ - 1)².
        every: steps of the energy to one of the generator.

    Source: Gulrajani et al. 2017, arXiv:1704.00028.
    """
    slope = GradientPenalty(1.0, Between(generator))
    return Method(energy, Adversarial(generator, Fooling(difference), every) + weight * slope)


@card(energy="‖g(f(y)) - y‖²", objective="E(y) + max(0, m - E(fake))", collapse="fakes pushed up")
def ebgan(
    encoder: nn.Module,
    decoder: nn.Module,
    generator: Generator,
    margin: float = 1.0,
    pull_away: float = 0.1,
    r1: float = 0.1,
    distance: Energy | None = None,
) -> Method:
    """EBGAN: an autoencoder copies data well and fakes badly, up to a margin.

    The paper has no R1; it damps the circling of the players, as in `gan`.

    Args beside those that recipes share:
        generator: makes fakes of z, or of (x, z).
        margin: m, below which the energy of a fake is pushed up.
        pull_away: weight of the squared cosine between codes of two fakes.
        r1: weight of ‖∂E/∂y‖² at the data.

    Source: Zhao, Mathieu, LeCun 2016, arXiv:1609.03126.
    """
    game = Repelled(Fooling(Levels(0.0, margin)), encoder, pull_away)
    energy = Autoencoder(encoder, decoder, distance)
    objective = Adversarial(generator, game) + r1 * GradientPenalty()
    return Method(energy, objective, encoder=encoder)


@card(energy="any E(x, y)", objective="E(y) - E(chains from g(z))", collapse="own chains")
def cooperative(
    energy: Energy,
    generator: Generator,
    sampler: Sampler = POINTS,
    steps: int = 10,
    sigma: float = 0.3,
) -> Method:
    """Cooperative learning: the generator proposes, chains of the energy correct it, it learns.

    Of points, take a kernel that rejects, and add a fixed Gaussian of the data's size to the
    energy, as in `persistent_cd`.

    Args beside those that recipes share:
        generator: g(z), or g(x, z) where it takes x.
        sampler, steps: the chains that start at the proposals.
        sigma: by which the generator's errors are divided.

    Source: Xie, Lu, Gao, Zhu, Wu 2018, arXiv:1609.09408.
    """
    return Method(energy, Adversarial(generator, Cooperative(sampler, steps, sigma)))


@card(energy="any E(x, y)", objective="E(y) - E(g(z) + σξ)", collapse="g has low E, high entropy")
def vera(
    energy: Energy,
    generator: Generator,
    sigma: float = 0.1,
    entropy: float = 1.0,
    k: int = 20,
    gamma: float = 0.1,
) -> Method:
    """VERA: the generator is a sampler of exp(-E), held wide by the entropy of its draws.

    Args beside those that recipes share:
        generator: g(z), or g(x, z) where it takes x.
        sigma: of the noise on its draws, in the units of y.
        entropy: its weight; 1 makes exp(-E) / Z the model.
        k: draws of z for each fake, by which the slope of its entropy is estimated.
        gamma: weight of ‖∂E/∂y‖² at the data.

    Source: Grathwohl et al. 2021, arXiv:2010.04230.
    """
    game = Entropic(generator.dim, sigma, entropy, k)
    return Method(energy, Adversarial(generator, game) + gamma * GradientPenalty())
