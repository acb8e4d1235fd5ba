"""Train encoder and decoder by their bound, and a prior on the codes that they give."""

from torch import Tensor

from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Inference
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Encoded"]


class Encoded(Objective):
    """The bound of a latent model under N(0, 1), and an objective of its learned prior.

        E_q[E(x, y, z) - prior(z)] + KL(q(z | x, y) ‖ N(0, 1))  +  shape(prior, z ~ q).

    The codes that shape the prior are constants to it: the encoder is trained towards N(0, 1),
    which holds the codes at unit scale, and the prior then tells apart what N(0, 1) does not.
    The energy, prior included, is the model: E(x, y, z) up to one constant.

    Args:
        infer: q, such as `Amortized`.
        shape: an objective of an energy of z alone, such as `MultiScaleScore`.

    Terms: `bound`, and those of `shape`. Metrics: `information`, and those of `shape`.

    Raises:
        ConfigurationError: the energy has no prior, as a `Reconstruction` may, or is weighted:
            its prior would then be another one than that which is shaped.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from ebmlab.energies import MLP, GaussianNLL, Reconstruction
        >>> from ebmlab.inference import Amortized
        >>> from ebmlab.networks import GaussianHead
        >>> from ebmlab.objectives import DenoisingScore
        >>> energy = Reconstruction(nn.Linear(2, 3), GaussianNLL(), MLP(2), takes_x=False)
        >>> q = Amortized(GaussianHead(nn.Linear(3, 4)))
        >>> rng = torch.Generator().manual_seed(0)
        >>> sorted(Encoded(q, DenoisingScore(0.1))(energy, None, torch.zeros(8, 3), rng).terms)
        ['bound', 'denoising_score']

    Source: Pang, Han, Nijkamp, Zhu, Wu 2020, arXiv:2006.08205, for a prior that is an energy;
    Vahdat, Kreis, Kautz 2021, arXiv:2106.05931, for one shaped by slopes.
    """

    def __init__(self, infer: Inference, shape: Objective) -> None:
        super().__init__()
        self.infer, self.shape = infer, shape

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The bound's mean over the batch, plus the prior's loss."""
        plain, priors = energy.split(lambda prior: True)
        if len(priors) != 1:
            raise ConfigurationError(
                f"{type(energy).__name__} has {len(priors)} priors of z; Encoded shapes one: pass "
                "Reconstruction(decoder, distance, prior)"
            )
        weight, prior = priors[0]
        if isinstance(weight, Tensor) or weight != 1:
            raise ConfigurationError(
                f"{type(energy).__name__} weighs its prior by {weight}, so that another one than "
                "the shaped prior would be the model's: pass the energy without a weight"
            )
        q = self.infer(plain, x, y, 1.0, rng=rng)
        bound = ((q.weights * plain(x, y, q.atoms, rng=rng)).sum(0) + q.information).mean()
        atoms = q.single().detach()
        z = atoms.flatten(0, atoms.ndim - single_ndim(energy) - 1)
        inner = self.shape.forward(prior, None, z, rng)
        metrics = {"information": q.information.detach().mean(), **inner.metrics}
        terms = {"bound": bound.detach(), **inner.terms}
        return Loss(bound + inner.value, terms, metrics, inner.commit)
