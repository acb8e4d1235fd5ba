"""Recipes in which chains of the model itself are the negatives."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ebmlab.energy import Energy
from ebmlab.losses import HeldDifference, difference
from ebmlab.methods.cards import card
from ebmlab.negatives import FromData, Replay
from ebmlab.objectives import Contrastive, ImprovedCD, RecoveryLikelihood
from ebmlab.protocols import Method, Sampler
from ebmlab.samplers import MALA, Langevin

__all__ = [
    "contrastive_divergence",
    "igebm",
    "improved_cd",
    "persistent_cd",
    "recovery_likelihood",
]

Birth = Callable[[int, torch.Generator], Tensor]
# For points of unit scale: sharper energies reject more, and hold.
POINTS = MALA(0.03)
# In units of the noise: where data are sharp, noisy ones start on steep ground.
FROM_NOISE = MALA(0.1, clamp=3.0)


@card(energy="any E(y)", objective="E(y) - E(chains from y)", collapse="own chains")
def contrastive_divergence(energy: Energy, sampler: Sampler = POINTS, steps: int = 5) -> Method:
    """Contrastive divergence: E+ - E-, negatives from short chains of the model that start at y.

    Any kernel will do, and any y: `Gibbs(rbm.conditionals())` with steps=1 is Hinton's CD-1.

    Of points, take a kernel that rejects. Where the energy grows sharper than its steps are short,
    unadjusted chains overshoot, learning raises the energy where they land, and it grows sharper
    still: after 1,000 steps on two moons `Langevin(0.03)` is at 7e6 nats a datum, although a
    Gaussian of the data is in the energy, and `MALA(0.03)` at 1.69 without one (one seed).
    Short chains stay in their mode, so that the weights of separate modes are not well learned.

    Source: Hinton 2002.
    """
    return Method(energy, Contrastive(difference, FromData(sampler, steps)))


@card(energy="any E(y)", objective="E(y) - E(lasting chains)", collapse="own chains")
def persistent_cd(
    energy: Energy,
    pool: Tensor,
    sampler: Sampler = POINTS,
    steps: int = 5,
    *,
    rebirth: float = 0.1,
    birth: Birth | None = None,
) -> Method:
    """Persistent contrastive divergence: E+ - E-, negatives from chains that last.

    Of points, take a kernel that rejects, and add a fixed Gaussian of the data's size to the
    energy (`network + Gaussian(mean, covariance)`), which bounds it far away: after 1,000 steps on
    two moons `MALA` is at 1.81 nats a datum with it, at 1.98 without (one seed). Local chains keep
    the weights of modes that their births have. `EllipticalSlice` of that Gaussian leaps between
    modes, learns their weights, and needs no rebirth: 1.74, and after 3,000 steps on eight
    Gaussians no weight is off by more than 0.01, where contrastive divergence is off by 0.1.

    Args beside those that recipes share:
        pool: where the chains start, and are born again, (size, *event): data are good starts.
        rebirth: the share of chains that start anew at each draw; 0 for chains that mix.
        birth: (n, rng) -> n points where they do; None takes the first pool.

    Source: Tieleman 2008.
    """
    negatives = Replay(pool, sampler, steps, rebirth, birth)
    return Method(energy, Contrastive(difference, negatives))


@card(energy="any E(y)", objective="E(y) - E(chains) + E²", collapse="negatives by Langevin")
def igebm(
    energy: Energy, pool: Tensor, sampler: Sampler, steps: int = 60, alpha: float = 1.0
) -> Method:
    """IGEBM: E+ - E- + α E², negatives from persistent chains of the model, 5 % of them reborn.

    α holds energies near 0; 0 leaves the gradient of the likelihood.

    Source: Du, Mordatch 2019, arXiv:1903.08689.
    """
    return Method(energy, Contrastive(HeldDifference(alpha), Replay(pool, sampler, steps)))


@card(energy="any E(y)", objective="E(y) - E(chains) + KL by last step", collapse="own chains")
def improved_cd(
    energy: Energy,
    pool: Tensor,
    sampler: Sampler = POINTS,
    steps: int = 5,
    *,
    step_size: float = 0.001,
    weight: float = 0.1,
    entropy: float = 1.0,
    rebirth: float = 0.1,
) -> Method:
    """Improved contrastive divergence: the last step of lasting chains learns to reach the model.

    Args beside those that recipes share:
        pool: where the chains start, and are born again, (size, *event).
        step_size: of the Langevin step that gradients go through; no test rejects it, so keep it
            well below 1 over the curvature: two moons stand 0.001, and diverge at 0.01.
        weight, entropy: of the divergence of the chains from the model, and of its entropy.
        rebirth: the share of chains that start anew at each draw.

    Source: Du, Li, Tenenbaum, Mordatch 2021, arXiv:2012.01316.
    """
    chains = Replay(pool, sampler, steps, rebirth)
    return Method(energy, ImprovedCD(chains, Langevin(step_size), weight=weight, entropy=entropy))


@card(
    energy="any E(x = noise, y)", objective="E(y) - E(chains from y + σξ)", collapse="own chains"
)
def recovery_likelihood(
    energy: Energy,
    sigmas: float | Sequence[float] = 0.5,
    sampler: Sampler = FROM_NOISE,
    steps: int = 10,
) -> Method:
    """Diffusion recovery likelihood: noisy data are led back by chains that know their noise.

    Args beside those that recipes share:
        sigmas: σ of each level, from clean to noisy; one for an energy of y alone.
        sampler: moves (y - ỹ) / σ.

    Source: Gao, Song, Poole, Wu, Kingma 2020, arXiv:2012.08125.
    """
    return Method(energy, RecoveryLikelihood(sigmas, sampler, steps))
