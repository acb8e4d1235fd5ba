"""Recipes that predict y: one value of it, or one for each z."""

import torch
from torch import Tensor, nn

from ebmlab.energies import JointEmbedding, Predicted, Reconstruction, SquaredDistance
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy, Inference
from ebmlab.inference import Enumerate
from ebmlab.methods.cards import card
from ebmlab.networks import MLP, Operators
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method, Regularizer
from ebmlab.regularizers import VICReg, Within

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
    dim: int,
    codes: int = 8,
    *,
    predictor: nn.Module | None = None,
    infer: Inference | None = None,
    target: nn.Module | None = None,
    temperature: float | None = None,
    prior: Energy | None = None,
    regularizer: Regularizer | None = None,
    weight: float = 1.0,
    energy_weight: float = 0.3,
    x_ndim: int = 1,
    y_ndim: int | None = None,
) -> Method:
    """JEPA: predict the code of y from that of x and from z, E = ‖p(f(x), z) - g(y)‖² + R(z).

    The population of codes f(x) and g(y) is kept from collapsing by the regularizer; z is kept
    from telling all of y by its few values, its prior or its noise. Without z a code keeps only
    what x says of y.

    With z alone codes may still drop whatever only z could predict, and then z dies; or z may say
    something else for each x. By default neither happens: what differs between x and y of one
    thing keeps its spread (`Within`), and z chooses among operators that act alike on every x. A
    warm posterior lets all operators learn from all pairs at first, and part as E falls.

    Args:
        encoder: f, (n, *event) -> (n, dim), the representation.
        dim: length of a code.
        codes: length of z; 0: there is no z.
        predictor: p(h, z), or p(h) without z, to codes of y; `Operators`, or an `MLP` without z.
        infer: how z is chosen; None: all `codes` one-hot z are tried.
        target: g; None is f, `teachers.EMA(f)` a slow copy of it.
        temperature: T >= 0 of the free energy over z; None: dim / 10, where E is near 2 · dim at
            first, or 0 where `infer` finds one z.
        prior: R, an energy of z; None where `infer` counts the prior as information.
        regularizer: of the codes; VICReg() by default, with z VICReg() + Within(VICReg()).
        weight: of the regularizer.
        energy_weight: of the mean energy; VICReg's paper has 25 / dim.
        x_ndim: event dimensions of x: 1 points, 3 images.
        y_ndim: of y; None: as x.

    Raises:
        ConfigurationError: an inference, a temperature or a prior of z is given, but codes is 0.

    Example:
        >>> import torch
        >>> from ebmlab import data, fit
        >>> x, y = data.relations.crossing_lines(512, torch.Generator().manual_seed(0))
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     one, two = (jepa(nn.Linear(1, 1), 1, codes) for codes in (0, 2))
        >>> for method in (one, two):
        ...     _ = fit(method, (x, y), steps=100, lr=0.05)
        >>> [bool(method.energy(x, y).mean() > 0.5) for method in (one, two)]
        [True, False]

    Source: LeCun 2022, "A path towards autonomous machine intelligence".
    """
    if codes == 0:
        _require_no_z(infer, temperature, prior)
        predict = MLP(dim, dim) if predictor is None else predictor
        head: Energy = Predicted(predict, SquaredDistance(), stopped=False)
        energy: Energy = JointEmbedding(encoder, target, head, x_ndim=x_ndim, y_ndim=y_ndim)
        kept: Regularizer = VICReg()
    else:
        infer = Enumerate(torch.eye(codes)) if infer is None else infer
        warm = 0.0 if infer.point else dim / 10
        predict = Operators(dim, codes) if predictor is None else predictor
        head = Reconstruction(predict, prior=prior)
        pair = JointEmbedding(encoder, target, head, x_ndim=x_ndim, y_ndim=y_ndim)
        energy = FreeEnergy(pair, infer, warm if temperature is None else temperature)
        kept = VICReg() + Within(VICReg())
    kept = kept if regularizer is None else regularizer
    return Method(energy, Regularized(kept, weight, energy_weight), encoder=encoder)


def _require_no_z(
    infer: Inference | None, temperature: float | None, prior: Energy | None
) -> None:
    given = {"infer": infer, "temperature": temperature, "prior": prior}
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise ConfigurationError(
            f"{' and '.join(named)} given, but codes is 0: there is no z; pass codes=k for a z of "
            "length k"
        )
