"""Recipes that predict y: one value of it, or one for each z."""

from torch import Tensor, nn

from ebmlab.energies import JointEmbedding, Predicted, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy, Inference
from ebmlab.inference import Enumerate
from ebmlab.methods.cards import card
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method, Regularizer
from ebmlab.regularizers import VICReg

__all__ = ["jepa", "joint_embedding", "latent_prediction", "regression"]


@card(energy="‖f(x) - y‖²", collapse="y itself is the target")
def regression(predictor: nn.Module, *, x_ndim: int = 1, y_ndim: int = 1) -> Method:
    """Predict one y: E = ‖f(x) - y‖², pushed down on the data.

    It cannot collapse, since y itself is the target; nor can it say that several y are right.
    """
    energy = JointEmbedding(
        predictor, nn.Identity(), SquaredDistance(y_ndim), x_ndim=x_ndim, y_ndim=y_ndim
    )
    return Method(energy, Regularized(), encoder=predictor)


@card(energy="‖f(x) - g(y)‖²", collapse="nothing: it collapses")
def joint_embedding(
    encoder: nn.Module, target: nn.Module | None = None, *, x_ndim: int = 1
) -> Method:
    """E = ‖f(x) - g(y)‖², pushed down on the data and nothing else: nothing prevents collapse."""
    energy = JointEmbedding(encoder, target, SquaredDistance(), x_ndim=x_ndim)
    return Method(energy, Regularized(), encoder=encoder)


@card(energy="‖g(x, z) - y‖²", z="one of k atoms", collapse="z carries log k nats")
def latent_prediction(
    decoder: nn.Module,
    atoms: Tensor,
    temperature: float = 0.0,
    *,
    takes_x: bool = True,
    distance: Energy | None = None,
) -> Method:
    """Predict a *set* of y: F(x, y) = min over z of ‖g(x, z) - y‖², or its free energy at T > 0.

    Args beside those that recipes share:
        decoder: g(x, z), or g(z).
        atoms: the values of z, (k, *event).
        temperature: T >= 0.
        takes_x: whether the decoder is conditional.

    Source: LeCun et al. 2006; LeCun 2022, "A path towards autonomous machine intelligence".
    """
    energy = Reconstruction(decoder, distance, takes_x=takes_x)
    return Method(FreeEnergy(energy, Enumerate(atoms), temperature), Regularized())


@card(
    energy="‖p(f(x), z) - g(y)‖² + R(z)",
    z="by any inference",
    objective="mean + VICReg",
    collapse="variance; little z",
)
def jepa(
    encoder: nn.Module,
    predictor: nn.Module,
    infer: Inference | None = None,
    *,
    target: nn.Module | None = None,
    temperature: float = 0.0,
    prior: Energy | None = None,
    regularizer: Regularizer | None = None,
    weight: float = 1.0,
    energy_weight: float = 1.0,
    x_ndim: int = 1,
    y_ndim: int | None = None,
) -> Method:
    """JEPA: predict the code of y from that of x and from z, E = ‖p(f(x), z) - g(y)‖² + R(z).

    The population of codes f(x) and g(y) is kept from collapsing by the regularizer; z is kept
    from telling all of y by its few values, its prior or its noise. Without z a code keeps only
    what x says of y.

    Args:
        encoder: f, (n, *event) -> (n, dim), the representation.
        predictor: p(h, z), or p(h) without z, to codes of y.
        infer: how z is chosen; None: there is no z.
        target: g; None is f, `teachers.EMA(f)` a slow copy of it.
        temperature: T >= 0 of the free energy over z.
        prior: R, an energy of z; None where `infer` counts the prior as information.
        regularizer: of the codes; VICReg by default, whose paper weighs the energy by 25 / dim.
        weight: of the regularizer.
        energy_weight: of the mean energy.
        x_ndim: event dimensions of x: 1 points, 3 images.
        y_ndim: of y; None: as x.

    Raises:
        ConfigurationError: a temperature or a prior of z is given, but no way to choose z.

    Example:
        >>> import torch
        >>> from ebmlab import data, fit
        >>> from ebmlab.networks import MLP, Choice
        >>> x, y = data.relations.crossing_lines(512, torch.Generator().manual_seed(0))
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     one = jepa(nn.Linear(1, 1), MLP(1, 1, (16,)))
        ...     two = jepa(nn.Linear(1, 1), Choice(MLP(1, 2, (16,)), 2), Enumerate(torch.eye(2)))
        >>> for method in (one, two):
        ...     _ = fit(method, (x, y), steps=60, lr=0.05, progress=False)
        >>> [bool(method.energy(x, y).mean() > 0.5) for method in (one, two)]
        [True, False]

    Source: LeCun 2022, "A path towards autonomous machine intelligence".
    """
    if infer is None and (temperature != 0 or prior is not None):
        raise ConfigurationError(
            f"temperature is {temperature}, prior {type(prior).__name__}, but there is no z: pass "
            "infer, such as Enumerate(torch.eye(k))"
        )
    distance = SquaredDistance()
    head = (
        Predicted(predictor, distance, stopped=False)
        if infer is None
        else Reconstruction(predictor, distance, prior)
    )
    pair = JointEmbedding(encoder, target, head, x_ndim=x_ndim, y_ndim=y_ndim)
    energy = pair if infer is None else FreeEnergy(pair, infer, temperature)
    kept = VICReg() if regularizer is None else regularizer
    return Method(energy, Regularized(kept, weight, energy_weight), encoder=encoder)
