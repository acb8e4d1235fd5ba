"""Recipes in which an encoder guesses a distribution of z, and the loss bounds -log p(y)."""

from torch import nn

from ebmlab.energies import Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Amortized, ImportanceWeighted
from ebmlab.methods.cards import card
from ebmlab.networks import Mean
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["iwae", "vae"]


@card(
    energy="-log p(y | z)",
    z="a draw of N(f(y))",
    objective="mean + KL(q ‖ N(0, 1))",
    collapse="p(y) is normalized",
)
def vae(encoder: nn.Module, decoder: nn.Module, distance: Energy, samples: int = 1) -> Method:
    """Variational autoencoder: F(y) = E_q[distance(g(z), y)] + KL(q ‖ N(0, 1)) >= -log p(y).

    The normalization of p(y), which a negative log-likelihood as distance brings along, prevents
    collapse; the price of z in nats keeps q near the prior. Codes are means of q.

    Args:
        encoder: y to the mean and log standard deviation of q(z | y), see `GaussianHead`.
        decoder: z to the parameters of p(y | z).
        distance: -log p(y | z) in nats: `BinaryCrossEntropy`, `GaussianNLL`.
        samples: draws of z per datum.

    Source: Kingma, Welling 2014, arXiv:1312.6114; Rezende, Mohamed, Wierstra 2014.
    """
    energy = Reconstruction(decoder, distance, takes_x=False)
    free = FreeEnergy(energy, Amortized(encoder, samples), temperature=1.0)
    return Method(free, Regularized(), encoder=Mean(encoder))


@card(
    energy="-log p(y | z)",
    z="K draws of N(f(y))",
    objective="-log mean p(y, z)/q(z)",
    collapse="p(y) is normalized",
)
def iwae(
    encoder: nn.Module,
    decoder: nn.Module,
    distance: Energy,
    samples: int = 50,
    *,
    doubly: bool = False,
) -> Method:
    """Importance-weighted autoencoder: a `vae` whose bound tightens with the number of draws.

    F(y) = -log (1/K) Σ_k p(y, z_k) / q(z_k | y); normalization prevents collapse as it does there.

    Args:
        encoder: as in `vae`.
        decoder: as in `vae`.
        distance: as in `vae`.
        samples: K.
        doubly: reparametrize the encoder's gradient once more, see `ImportanceWeighted`.

    Source: Burda, Grosse, Salakhutdinov 2016, arXiv:1509.00519.
    """
    energy = Reconstruction(decoder, distance, takes_x=False)
    infer = ImportanceWeighted(encoder, samples, doubly=doubly)
    return Method(FreeEnergy(energy, infer, temperature=1.0), Regularized(), encoder=Mean(encoder))
