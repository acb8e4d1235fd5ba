"""Sets of discrete answers that hold the truth as often as promised."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves, require_counts, require_tensor
from ebmlab._kinds import require_tensors
from ebmlab._rows import fingerprints, located
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.prediction.chunked import require_uncoupled, rows_of
from ebmlab.prediction.conformal import Coverage, least_size, threshold_rank
from ebmlab.prediction.nonconformity import Nonconformity, Surprisal
from ebmlab.types import Rng, Tree

__all__ = ["ChoiceSets", "Judged", "calibrate_choices"]


class Shares(NamedTuple):
    """How often sets held the truth, group by group.

    Attributes:
        share: of each group, NaN where it is empty.
        number: how many data are in it.
    """

    share: Tensor
    number: Tensor


class Judged(NamedTuple):
    """Sets of data whose right answers are known.

    Attributes:
        sets: which values are in them, bool (n, k).
        right: which value is right, (n,).
    """

    sets: Tensor
    right: Tensor

    @property
    def held(self) -> Tensor:
        """Which sets hold their truth, bool (n,)."""
        return self.sets.gather(1, self.right[:, None]).squeeze(1)

    @property
    def sizes(self) -> Tensor:
        """How many values each set has, (n,)."""
        return self.sets.sum(1)

    @property
    def coverage(self) -> Coverage:
        """The share of sets that hold their truth."""
        return Coverage.of(self.held)

    def by_size(self) -> Shares:
        """Coverage of the sets of 0, 1, … k values, (k + 1,)."""
        return self._grouped(self.sizes, self.sets.shape[1] + 1)

    def by_value(self) -> Shares:
        """Coverage where each value is the right one, (k,)."""
        return self._grouped(self.right, self.sets.shape[1])

    def _grouped(self, group: Tensor, groups: int) -> Shares:
        number = group.bincount(minlength=groups)
        held = group.bincount(self.held.double(), minlength=groups)
        return Shares(held / number, number)


@dataclass(frozen=True, eq=False)
class ChoiceSets:
    """C(x) = {v : s(x, v) <= τ} of the values v that y can have.

    Args:
        energy: F.
        values: v, (k, *event).
        nonconformity: s, from the energies of all values.
        threshold: τ, 0-d, or (k,) with one for each value.
        level: the coverage aimed at.
        size: how many data it was calibrated on.
    """

    energy: Energy
    values: Tensor
    nonconformity: Nonconformity
    threshold: Tensor
    level: float
    size: int

    def sets(self, x: Tree, *, rng: Rng = None, chunk: int = 1024) -> Tensor:
        """Which values are in C(x_i), bool (n, k); of one row where x is None."""
        n = 1 if x is None else len(leaves(x)[0])
        return self._sets(x, n, rng, chunk)

    def judge(self, x: Tree, y: Tree, *, rng: Rng = None, chunk: int = 1024) -> Judged:
        """The sets of x_i beside y_i; of data that neither trained nor calibrated F."""
        right = _places(self.values, y, self.energy.y_ndim)
        return Judged(self._sets(x, len(right), rng, chunk), right)

    def _sets(self, x: Tree, n: int, rng: Rng, chunk: int) -> Tensor:
        return _misfits(self, x, n, rng, chunk) <= self.threshold


def calibrate_choices(
    energy: Energy,
    values: Tensor,
    x: Tree,
    y: Tree,
    level: float = 0.9,
    *,
    nonconformity: Nonconformity | None = None,
    per_value: bool = False,
    rng: Rng = None,
    chunk: int = 1024,
) -> ChoiceSets:
    """τ and the sets {v : s(x, v) <= τ}, where y is one of finitely many values, as words are.

    s(x, v) is a function of the energies of all values: -log p, see `prediction.Surprisal`, or
    that which is adaptive, or the energy itself, which makes the sets of `calibrate`. τ is the
    ⌈(n + 1) level⌉-th smallest s(x, y) on held-out data, and then, if these and the new pair are
    exchangeable, level <= P(y in C(x)) whatever F is, and P < level + 1 / (n + 1) where no two s
    tie. The promise is one on average over x and y; with `per_value` it is made for each right
    value by itself.

    Args:
        energy: F; a `FreeEnergy` where there is a latent.
        values: all that y can be, (k, *event); `torch.arange(k)` of labels and tokens.
        x: (n, *event), or None.
        y: (n, *event), each of them one of the values.
        level: in (0, 1).
        nonconformity: s; None is `Surprisal()`.
        per_value: whether each value has a τ of its own, from those data whose y it is.
        rng: for energies that are stochastic, and for s that is randomized.
        chunk: data at a time, each with all values.

    Raises:
        ConfigurationError: level is not in (0, 1); n is too small for it, n < level / (1 - level),
            or so are the data of a value with `per_value`; a y is none of the values, or a value
            occurs twice; or the energy couples the data of a batch.
        ShapeError: x, y and the values do not fit each other.
        NonFiniteError: an energy is NaN or -inf, or all of an x are +inf.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> values = torch.arange(5.0)[:, None]
        >>> y = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3.0])[:, None]
        >>> found = calibrate_choices(SquaredDistance(), values, y + 0.4, y, level=0.8)
        >>> found.sets(torch.tensor([[2.4]]))
        tensor([[False, False,  True, False, False]])

    Source: Vovk, Gammerman, Shafer 2005 (a τ for each value: Mondrian); Sadinle, Lei, Wasserman
    2019, arXiv:1609.00451; and see the nonconformities.
    """
    right = _places(values, y, energy.y_ndim)
    threshold_rank(len(right), level)
    s = Surprisal() if nonconformity is None else nonconformity
    blank = ChoiceSets(energy, values, s, torch.zeros(()), level, len(right))
    own = _misfits(blank, x, len(right), rng, chunk).gather(1, right[:, None]).squeeze(1)
    threshold = _per_value(own, right, values, level) if per_value else _lowest(own, level)
    return ChoiceSets(energy, values, s, threshold, level, len(right))


def _lowest(own: Tensor, level: float) -> Tensor:
    return own.kthvalue(threshold_rank(len(own), level)).values


def _per_value(own: Tensor, right: Tensor, values: Tensor, level: float) -> Tensor:
    counts = right.bincount(minlength=len(values))
    least = least_size(level)
    if bool((counts < least).any()):
        rarest = int(counts.argmin())
        raise ConfigurationError(
            f"value {rarest} is the y of {int(counts[rarest])} calibration data, and "
            f"{int((counts < least).sum())} of {len(values)} values have fewer than the {least} "
            f"that a level of {level} needs: calibrate on more data, or with one τ for all values"
        )
    return torch.stack([_lowest(own[right == k], level) for k in range(len(values))])


@torch.no_grad()
def _misfits(of: ChoiceSets, x: Tree, n: int, rng: Rng, chunk: int) -> Tensor:
    """s(x_i, v) of n data and all values, (n, k) in float64."""
    require_uncoupled(of.energy)
    require_counts(chunk=chunk)
    if x is not None and any(leaf.shape[:1] != (n,) for leaf in leaves(x)):
        raise ShapeError(
            f"y has {n} rows, x {[tuple(leaf.shape) for leaf in leaves(x)]}; both are "
            "(n, *event) with one n"
        )
    parts = []
    for first in range(0, n, chunk):
        rows = min(chunk, n - first)
        each = of.energy.at_each(rows_of(x, first, first + rows), of.values, rng=rng).double()
        each = each.expand(rows, len(of.values))
        _require_energies(each, first)
        parts.append(of.nonconformity(each, rng))
    return torch.cat(parts)


def _require_energies(each: Tensor, first: int) -> None:
    bad = each.isnan() | (each == -torch.inf)
    if bool(bad.any()):
        row, k = bad.nonzero()[0].tolist()
        raise NonFiniteError(
            f"the energy of datum {first + row} and value {k} is {float(each[row, k])}; look at "
            f"x[{first + row}] and values[{k}]"
        )
    none = (each == torch.inf).all(1)
    if bool(none.any()):
        raise NonFiniteError(
            f"the energies of datum {first + int(none.int().argmax())} are +inf for all values: "
            "no value is possible, and no probabilities are"
        )


def _places(values: Tensor, y: Tree, ndim: object) -> Tensor:
    """Which of the values each y is, (n,)."""
    y = require_tensor("y", y)
    require_tensors(values=values, y=y)
    event = values.shape[1:]
    if ndim != len(event) or y.ndim != values.ndim or y.shape[1:] != event:
        raise ShapeError(
            f"y has shape {tuple(y.shape)}, values {tuple(values.shape)}; expected (n, *event) "
            f"and (k, *event), where the event has {ndim} dimensions"
        )
    leading_shape("y", y, len(event))
    leading_shape("values", values, len(event))
    known, order = fingerprints(values).sort()
    if bool((known.diff() == 0).any()):
        raise ConfigurationError("a row of values occurs twice, and would be an answer twice")
    place, missing = located(fingerprints(y), known, order)
    if bool(missing.any()):
        row = int(missing.nonzero()[0])
        raise ConfigurationError(
            f"y[{row}] is none of the {len(values)} values: pass all that y can be"
        )
    return place
