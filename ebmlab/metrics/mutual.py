"""What z means: nats that it shares with a factor, beside those of a shuffled factor."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ebmlab._checks import require_counts, require_device, require_generator, require_index
from ebmlab._kinds import require_tensors
from ebmlab.errors import ShapeError
from ebmlab.metrics.use import distributions

__all__ = ["MutualInformation", "adjusted_rand", "mutual_information"]


class MutualInformation(NamedTuple):
    """What `mutual_information` finds, in nats.

    Attributes:
        nats: I(z; factor), plug-in: never negative, and too high by its bias.
        shuffled: the same where the factor is permuted (within groups): what chance and bias make
            of a z that says nothing.
        error: standard error of `nats`, by the spread of its n summands.
        entropy: H(factor), or H(factor | given): the most that z could say.
        n: rows.
    """

    nats: float
    shuffled: float
    error: float
    entropy: float
    n: int


@torch.no_grad()
def mutual_information(
    z: Tensor,
    factor: Tensor,
    *,
    given: Tensor | None = None,
    rng: torch.Generator,
    shuffles: int = 20,
) -> MutualInformation:
    """I(z; f) = Σ p(z, f) log p(z, f) / (p(z) p(f)), of the shares that were counted.

    Of a z that means the same everywhere it is what z says of the factor. I(z; f | g), with
    groups given, is the mean over groups of what z says within one: high too where z means another
    thing in each. The bias of counts is some (K - 1)(F - 1) / 2n for K codes and F values, n the
    rows (of a group); groups of one row say 0. Compare with `shuffled`.

    Args:
        z: codes (n,), whole numbers, or posteriors (n, K), of rows that sum to 1.
        factor: (n,), whole numbers.
        given: groups (n,), whole numbers; None is I(z; f).
        rng: of the permutations.
        shuffles: how many of them `shuffled` is the mean of.

    Raises:
        ShapeError, DtypeError, DeviceError: the tensors do not fit.
        ConfigurationError: rows of z are no distributions, or rng is missing.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> factor = torch.arange(900) % 3
        >>> found = mutual_information((factor + 1) % 3, factor, rng=rng)
        >>> round(found.nats, 4), found.shuffled < 0.01
        (1.0986, True)
        >>> x = torch.arange(900) // 3 % 3
        >>> other_for_each_x = (factor + x) % 3
        >>> round(mutual_information(other_for_each_x, factor, rng=rng).nats, 4)
        0.0
        >>> round(mutual_information(other_for_each_x, factor, given=x, rng=rng).nats, 4)
        1.0986

    Source: Cover, Thomas 2006, chapter 2; the bias, Miller 1955; Panzeri et al. 2007.
    """
    require_counts(shuffles=shuffles)
    require_tensors(z=z, factor=factor)
    q = _soft(z)
    f, g = _indexed("factor", factor, q), _indexed("given", given, q)
    rng = require_generator(rng, "mutual_information", q.device)
    each = _pointwise(q, f, g)
    # The same order of rows in each group: sorted by group, and by chance within.
    base = g.argsort(stable=True)
    blind = []
    for _ in range(shuffles):
        chance = torch.rand(len(q), generator=rng, dtype=q.dtype, device=q.device).argsort()
        order = chance[g[chance].argsort(stable=True)]
        permuted = f.clone()
        permuted[base] = f[order]
        blind.append(_pointwise(q, permuted, g).mean())
    entropy = _pointwise(one_hot(f).to(q.dtype), f, g).mean()
    error = each.std() / len(each) ** 0.5 if len(each) > 1 else each.new_tensor(torch.nan)
    shuffled = torch.stack(blind).mean()
    return MutualInformation(
        float(each.mean()), float(shuffled), float(error), float(entropy), len(q)
    )


@torch.no_grad()
def adjusted_rand(z: Tensor, factor: Tensor) -> float:
    """The Rand index of z and a factor adjusted for chance: 1 for one partition, 0 in the mean.

    z are codes (n,), or posteriors (n, K), whose largest counts; factor is (n,).

    Raises:
        ShapeError, DtypeError, DeviceError: the tensors do not fit.

    Example:
        >>> adjusted_rand(torch.tensor([0, 0, 1, 1]), torch.tensor([5, 5, 2, 2]))
        1.0

    Source: Hubert, Arabie 1985.
    """
    from sklearn.metrics import adjusted_rand_score

    require_tensors(z=z, factor=factor)
    q = _soft(z)
    f = _indexed("factor", factor, q)
    return float(adjusted_rand_score(f.cpu().numpy(), q.argmax(1).cpu().numpy()))


def _pointwise(q: Tensor, f: Tensor, g: Tensor) -> Tensor:
    """Σ_z q(z) log p(z | f, g) / p(z | g) of each row, (n,); their mean is I(z; f | g)."""
    cell = f * (int(g.max()) + 1) + g
    return (torch.xlogy(q, _mean_of(q, cell)) - torch.xlogy(q, _mean_of(q, g))).sum(1)


def _mean_of(q: Tensor, group: Tensor) -> Tensor:
    """The mean of q over the rows of each one's group, (n, K)."""
    total = q.new_zeros(int(group.max()) + 1, q.shape[1]).index_add_(0, group, q)
    return (total / group.bincount()[:, None].clamp(min=1))[group]


def _soft(z: Tensor) -> Tensor:
    if z.ndim == 2:
        return distributions("z", z)
    if z.ndim != 1 or len(z) == 0:
        raise ShapeError(f"z has shape {tuple(z.shape)}; expected codes (n,), or (n, K)")
    return one_hot(require_index("z", z).unique(return_inverse=True)[1]).double()


def _indexed(name: str, factor: Tensor | None, q: Tensor) -> Tensor:
    if factor is None:
        return q.new_zeros(len(q), dtype=torch.int64)
    require_tensors(**{name: factor})
    require_device(name, factor.device, {"z": q})
    if factor.shape != q.shape[:1]:
        raise ShapeError(f"{name} has shape {tuple(factor.shape)}; expected ({len(q)},), as z")
    return require_index(name, factor).unique(return_inverse=True)[1]
