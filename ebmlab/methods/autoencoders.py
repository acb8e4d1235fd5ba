"""Recipes in which z is what an encoder gives, at temperature zero."""

from torch import nn

from ebmlab.energies import Reconstruction, Subspace
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Amortized, Projected
from ebmlab.methods.cards import card
from ebmlab.networks import Transposed
from ebmlab.objectives import Contractive, Denoising, Regularized
from ebmlab.protocols import Method

__all__ = ["autoencoder", "contractive_autoencoder", "denoising_autoencoder", "pca"]


@card(
    energy="‖W z + μ - y‖²",
    z="Wᵀ (y - μ)",
    objective="mean energy, closed form",
    collapse="z narrower than y",
)
def pca(dim: int, k: int, *, decay: float = 1.0) -> Method:
    """Principal components: F(y) = min over z of ‖W z + μ - y‖², in closed form on commit.

    The k dimensions of z prevent collapse. `fit` needs no optimizer, and the mean loss after all
    data is the variance outside the k components.

    Args:
        dim: length of y.
        k: of z.
        decay: 1 pools all data so far, 0 takes the last batch; see `Subspace`.

    Source: Pearson 1901; Hotelling 1933.
    """
    energy = Subspace(dim, k, decay=decay)
    free = FreeEnergy(energy, Projected())
    return Method(free, Regularized(), encoder=Transposed(energy.decoder))


@card(energy="‖g(z) - y‖²", z="f(y)", collapse="z narrower than y")
def autoencoder(
    encoder: nn.Module, decoder: nn.Module, *, distance: Energy | None = None
) -> Method:
    """Autoencoder: F(y) = distance(g(f(y)), y).

    Source: Rumelhart, Hinton, Williams 1986; Bourlard, Kamp 1988.
    """
    return Method(_encoded(encoder, decoder, distance), Regularized(), encoder=encoder)


@card(energy="‖g(z) - y‖²", z="f(y + σξ)", collapse="noise on y")
def denoising_autoencoder(
    encoder: nn.Module, decoder: nn.Module, sigma: float, *, distance: Energy | None = None
) -> Method:
    """Denoising autoencoder: distance(g(f(y + σξ)), y), the clean y from a noisy one.

    The noise keeps a wide code from copying y.

    Args beside those that recipes share:
        sigma: σ, in the units of y.

    Source: Vincent, Larochelle, Bengio, Manzagol 2008.
    """
    return Method(_encoded(encoder, decoder, distance), Denoising(sigma), encoder=encoder)


@card(
    energy="‖g(z) - y‖²", z="f(y)", objective="mean + λ ‖∂f/∂y‖²", collapse="penalty on f's slope"
)
def contractive_autoencoder(
    encoder: nn.Module,
    decoder: nn.Module,
    weight: float,
    *,
    probes: int | None = None,
    distance: Energy | None = None,
) -> Method:
    """Contractive autoencoder: distance(g(f(y)), y) + λ ‖∂f/∂y‖²_F.

    Args beside those that recipes share:
        encoder: f, to (n, dim), twice differentiable.
        weight: λ.
        probes: estimate the square by so many random directions; None is exact.

    Source: Rifai, Vincent, Muller, Glorot, Bengio 2011.
    """
    objective = Regularized() + weight * Contractive(probes)
    return Method(_encoded(encoder, decoder, distance), objective, encoder=encoder)


def _encoded(encoder: nn.Module, decoder: nn.Module, distance: Energy | None) -> FreeEnergy:
    energy = Reconstruction(decoder, distance, takes_x=False)
    return FreeEnergy(energy, Amortized(encoder))
