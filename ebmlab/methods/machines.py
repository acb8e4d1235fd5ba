"""Recipes of Boltzmann machines: hidden units summed out, negatives by block Gibbs."""

from torch import Tensor

from ebmlab.energies import RBM, DeepBoltzmann, GaussianRBM
from ebmlab.losses import difference
from ebmlab.methods.cards import card
from ebmlab.negatives import Replay
from ebmlab.objectives import Contrastive
from ebmlab.protocols import Method
from ebmlab.samplers import Gibbs

__all__ = ["deep_boltzmann", "rbm"]


@card(
    energy="-log Σ_z exp(-E(y, z))",
    z="summed out",
    objective="E(y) - E(chains)",
    collapse="negatives by Gibbs",
)
def rbm(machine: RBM | GaussianRBM, pool: Tensor, steps: int = 1, rebirth: float = 0.0) -> Method:
    """Restricted Boltzmann machine by persistent contrastive divergence.

    The gradient is that of the likelihood but for the chains' lag behind the machine: let step
    sizes fall to 0. Biases of binary units that start at the log odds of the data save a long way.
    Codes are means of the hidden units.

    Args:
        machine: an RBM, with binary or Gaussian visible units.
        pool: where chains start, (chains, visible), at least as many as a batch.
        steps: sweeps of each chain per step; more where step sizes are large.
        rebirth: the probability that a chain starts anew; 0 lets chains go on for good.

    Source: Tieleman 2008; Smolensky 1986.
    """
    chains = Replay(pool, Gibbs(machine.conditionals()), steps, rebirth)
    return Method(machine, Contrastive(difference, chains))


@card(
    energy="E(y, μ(y))",
    z="mean field μ(y)",
    objective="E(y) - E(chains)",
    collapse="negatives by Gibbs",
)
def deep_boltzmann(
    machine: DeepBoltzmann, pool: Tensor, steps: int = 5, sweeps: int = 10, rebirth: float = 0.0
) -> Method:
    """Deep Boltzmann machine of two hidden layers: mean field at the data, persistent chains.

    The gradient is that of the mean-field bound on the likelihood, but for the chains' lag. Codes
    are means of the top layer.

    Args:
        machine: with layers v, h₁, h₂.
        pool: where chains of the even layers (v, h₂) start, (chains, visible + top).
        steps: sweeps of each chain per step.
        sweeps: of the mean field.
        rebirth: as in `rbm`.

    Source: Salakhutdinov, Hinton 2009.
    """
    chains = Replay(pool, Gibbs(machine.conditionals()), steps, rebirth)
    return Method(machine.completed(sweeps), Contrastive(difference, chains))
