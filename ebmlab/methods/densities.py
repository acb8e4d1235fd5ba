"""Recipes that shape a density: exactly, or against noise, perturbed data and the worst answer."""

from torch import Tensor

from ebmlab.energies import Constant, Density
from ebmlab.energy import Energy
from ebmlab.inference import Descent
from ebmlab.losses import Hinge, log_loss
from ebmlab.methods.cards import card
from ebmlab.negatives import Corrupted, MostOffending
from ebmlab.objectives import NCE, Contrastive, Likelihood
from ebmlab.perturbations import Gaussian
from ebmlab.protocols import Method

__all__ = ["conditional_nce", "likelihood", "most_offending", "nce"]


@card(energy="any E(x, y)", objective="E(x, y) + log Z(x)", collapse="exact log Z")
def likelihood(energy: Energy, values: Tensor, log_weights: Tensor | None = None) -> Method:
    """Maximum likelihood, exact: Z is the sum over all values of y, or an integral over a grid.

    Args beside those that recipes share:
        values: all that y can be, (m, *event), or the nodes of a grid.
        log_weights: of the nodes, (m,), as `partition.nodes` gives them.

    Source: LeCun et al. 2006.
    """
    return Method(energy, Likelihood(values, log_weights))


@card(energy="any E(x, y) + c", objective="logistic, data or noise", collapse="noise, known q")
def nce(energy: Energy, noise: Density, k: int = 4) -> Method:
    """Tell data from draws of a known density, one by one: E + c tends to -log p, normalized.

    Args beside those that recipes share:
        noise: q, near the data and nowhere 0 among them, yet wide: beyond its reach nothing holds
            the energy. Gaussians around some of the data do, or one that is fitted to them.
        k: draws per datum.

    Source: Gutmann, Hyvärinen 2012.
    """
    return Method(energy + Constant(y_ndim=energy.y_ndim), NCE(noise, k))  # pyright: ignore[reportArgumentType]


@card(energy="any E(x, y)", objective="log(1 + exp(E(y) - E(y + σξ)))", collapse="perturbed data")
def conditional_nce(energy: Energy, sigma: float = 0.5, k: int = 4) -> Method:
    """Tell each datum from its own perturbed copies: E tends to -log p + c, no density is known.

    Copies must reach from mode to mode for the weights of modes to be learned.

    Args beside those that recipes share:
        sigma: of the perturbation, in the units of y.
        k: copies per datum.

    Source: Ceylan, Gutmann 2018, arXiv:1806.03664.
    """
    return Method(energy, Contrastive(log_loss, Corrupted(Gaussian(sigma**2), k)))


@card(energy="any E(x, y)", objective="hinge, most offending y", collapse="negatives by descent")
def most_offending(
    energy: Energy, epsilon: float = 0.5, margin: float = 1.0, steps: int = 20
) -> Method:
    """A hinge against the wrong answer of lowest energy, at least ε from the right one.

    For y that is nearly a function of x: where many y are right, other data are pushed up too,
    and the energy is no log density.

    Args beside those that recipes share:
        epsilon: how far off an answer is wrong, in the units of y.
        margin: of the hinge.
        steps: of the descent.

    Source: LeCun et al. 2006.
    """
    negatives = MostOffending(epsilon, Descent(steps=steps))
    return Method(energy, Contrastive(Hinge(margin), negatives))
