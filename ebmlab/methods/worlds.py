"""Recipes that learn a world from films of it, in which nobody says what was done."""

from torch import nn

from ebmlab.energies import JointEmbedding, Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy, Inference
from ebmlab.methods.cards import card
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method, Regularizer
from ebmlab.regularizers import VICReg, Within

__all__ = ["world_model"]


@card(
    energy="‖p(f(x_t), z) - g(x_{t+1})‖² + R(z)",
    z="what was done, by any inference",
    objective="mean + VICReg + that within films",
    collapse="variance, within films too; little z",
)
def world_model(
    encoder: nn.Module,
    predictor: nn.Module,
    infer: Inference,
    *,
    target: nn.Module | None = None,
    temperature: float = 0.0,
    prior: Energy | None = None,
    regularizer: Regularizer | None = None,
    weight: float = 1.0,
    energy_weight: float = 1.0,
    x_ndim: int = 3,
) -> Method:
    """A latent world model: the code of a moment and z predict the code of the next moment.

    E = ‖p(f(x_t), z_t) - g(x_{t+1})‖² + R(z_t) of films whose actions nobody names: z takes their
    place. The moments of one film are one group. Spread over all moments is had by telling films
    apart, and then z says nothing; spread within films, too, is not to be had without what changes
    there, which z must then predict. A predictor in which z acts alike on every code, such as
    `networks.Operators`, gives z one meaning everywhere.

    `Clips.pairs` makes batches (things, moments, *event) of x and y. With the method trained,
    `prediction.inverse` says what was done in a film, `prediction.rollout` what will be seen, and
    `prediction.plan` what to do.

    Args:
        encoder: f, (n, *event) -> (n, dim), the representation.
        predictor: p(h, z), (n, dim) and z -> (n, dim).
        infer: how z is chosen, such as `Enumerate(torch.eye(k))`.
        target: g; None is f, `teachers.EMA(f)` a slow copy of it.
        temperature: T >= 0 of the free energy over z.
        prior: R, an energy of z; None where `infer` counts the prior as information.
        regularizer: of the codes; VICReg() + Within(VICReg()) by default.
        weight: of the regularizer.
        energy_weight: of the mean energy.
        x_ndim: event dimensions of a moment: 1 points, 3 images.

    Example:
        >>> import torch
        >>> from ebmlab import data, fit, prediction
        >>> from ebmlab.inference import Enumerate
        >>> from ebmlab.networks import MLP, Operators
        >>> rng = torch.Generator().manual_seed(0)
        >>> film = data.worlds.TwoRooms().clips(64, 5, rng)
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     f = nn.Sequential(nn.Flatten(), MLP(17 * 17, 8, (32,)))
        ...     method = world_model(f, Operators(8, 5), Enumerate(torch.eye(5)))
        >>> _ = fit(method, film.pairs(), steps=5, batch_size=16, progress=False)
        >>> prediction.inverse(method, film.frames).shape
        torch.Size([64, 4, 5])

    Source: LeCun 2022, "A path towards autonomous machine intelligence"; Sobal et al. 2025,
    arXiv:2502.14819 (planning with such codes, of films with actions).
    """
    head = Reconstruction(predictor, prior=prior)
    energy = FreeEnergy(JointEmbedding(encoder, target, head, x_ndim=x_ndim), infer, temperature)
    kept = VICReg() + Within(VICReg()) if regularizer is None else regularizer
    return Method(energy, Regularized(kept, weight, energy_weight), encoder=encoder)
