"""Recipes in which a functional of the population of codes prevents collapse."""

from torch import nn

from ebmlab._checks import require_shares
from ebmlab.energies import JointEmbedding, SquaredDistance, Whitened
from ebmlab.errors import ConfigurationError
from ebmlab.methods.cards import card
from ebmlab.networks import Expander, Projector
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method
from ebmlab.regularizers import BarlowTwins, SIGReg, VICReg

__all__ = ["barlow_twins", "lejepa", "vicreg", "w_mse"]


@card(energy="‖f(x) - f(y)‖²", objective="mean + variance + cov", collapse="variance of the codes")
def vicreg(
    encoder: nn.Module,
    dim: int,
    target: nn.Module | None = None,
    *,
    projector: nn.Module | None = None,
    invariance: float = 25.0,
    std: float = 25.0,
    cov: float = 1.0,
    x_ndim: int = 1,
) -> Method:
    """VICReg: codes agree in squared distance, keep their variance, and are uncorrelated.

    The variance of the population prevents collapse. Loss: 25 · mse + 25 · V + 1 · C.

    Args beside those that recipes share:
        encoder: (n, *event) -> (n, …), the representation.
        dim: length of the codes that are compared.
        target: encoder of y where x and y are things of different kinds; None shares one.
        projector: from the representation to the codes, in the paper `Expander(…, 8192, 8192)`;
            None compares representations.
        invariance, std, cov: weights of the mean squared difference, the variance term and the
            covariance term.

    Source: Bardes, Ponce, LeCun 2022, arXiv:2105.04906.
    """
    online = encoder if projector is None else nn.Sequential(encoder, projector)
    energy = JointEmbedding(online, target, SquaredDistance(), x_ndim=x_ndim)
    objective = Regularized(VICReg(std, cov), energy_weight=invariance / dim)
    return Method(energy, objective, encoder=encoder)


@card(
    energy="‖f(x) - f(y)‖²", objective="cross-correlation → 1", collapse="variance on its diagonal"
)
def barlow_twins(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 8192,
    hidden: int = 8192,
    off_diagonal: float = 0.0051,
    x_ndim: int = 1,
) -> Method:
    """Barlow Twins: the cross-correlation of two views' codes is made the identity.

    Its diagonal, 1 only for codes that vary, prevents collapse. The energy, a squared distance,
    is not trained itself: agreement is the diagonal's. x and y are tuples of views.

    Args beside those that recipes share:
        off_diagonal: λ, the weight of the redundancy.

    Source: Zbontar, Jing, Misra, LeCun, Deny 2021, arXiv:2103.03230.
    """
    f = nn.Sequential(encoder, Expander(dim, hidden, projection))
    energy = JointEmbedding(f, f, SquaredDistance(), x_ndim=x_ndim)
    objective = Regularized(BarlowTwins(off_diagonal), energy_weight=0.0)
    return Method(energy, objective, encoder=encoder)


@card(energy="‖f(x) - f(y)‖²", objective="mean + λ SIGReg", collapse="codes are N(0, I)")
def lejepa(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 64,
    hidden: int = 2048,
    weight: float = 0.05,
    views: int = 2,
    directions: int = 1024,
    x_ndim: int = 1,
) -> Method:
    """LeJEPA: views' codes lie close to their center, and the population is N(0, I) (SIGReg).

    That the population is standard normal prevents collapse. Loss: (1 - λ) mean ‖h - center‖² +
    λ SIGReg, where the first is (views - 1) / (2 views) times the mean of ‖h_i - h_j‖² over pairs
    of different views. x and y are one tuple of views. The authors' code has the mean over the d
    dimensions, not ‖·‖²: its λ' is λ = d λ' / (1 - λ' + d λ') here; and with small views its
    center is that of the large ones.

    Args beside those that recipes share:
        weight: λ.
        views: how many views x and y hold, at least 2.
        directions: of SIGReg.

    Source: Balestriero, LeCun 2025, arXiv:2511.08544.
    """
    require_shares(weight=weight)
    if views < 2:
        raise ConfigurationError(f"views is {views}; it must be at least 2")
    f = nn.Sequential(encoder, Projector(dim, hidden, projection, layers=3))
    energy = JointEmbedding(f, f, SquaredDistance(), x_ndim=x_ndim)
    pull = (1 - weight) * (views - 1) / (2 * views)
    objective = Regularized(SIGReg(directions), weight=weight, energy_weight=pull)
    return Method(energy, objective, encoder=encoder)


@card(energy="-cos(W f(x), W f(y))", collapse="whitening W")
def w_mse(
    encoder: nn.Module,
    dim: int,
    *,
    projection: int = 64,
    hidden: int = 1024,
    rows: int | None = 128,
    x_ndim: int = 1,
) -> Method:
    """W-MSE: views agree in cosine after their codes were whitened.

    Whitening, which needs codes that vary in all directions, prevents collapse. The paper's
    loss 2 - 2 cos is this one plus 2. x and y are tuples of views.

    Args beside those that recipes share:
        rows: how many rows are whitened together, see `Whitened`.

    Source: Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv:2007.06346.
    """
    f = nn.Sequential(encoder, Projector(dim, hidden, projection))
    energy = JointEmbedding(f, f, Whitened(rows=rows), x_ndim=x_ndim)
    return Method(energy, Regularized(energy_weight=2.0), encoder=encoder)
