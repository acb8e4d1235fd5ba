"""Which of many candidates fit x best, and how well the right one does among them."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_index
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.prediction.candidates import ROWS, encode_candidates
from ebmlab.protocols import Method
from ebmlab.types import Rng, Tree

__all__ = ["Retrieved", "rank", "retrieve"]


class Retrieved(NamedTuple):
    """The candidates of lowest energy for each x, the lowest first.

    Attributes:
        indices: which they are, (n, k).
        energies: E(x, y) of them, (n, k).
    """

    indices: Tensor
    energies: Tensor


@torch.no_grad()
def retrieve(
    method: Method | Energy,
    x: Tree,
    candidates: Tree,
    k: int,
    *,
    rng: Rng = None,
    chunk: int = 1024,
) -> Retrieved:
    """The k candidates y of lowest E(x, y) for each x; of equal ones, the first.

    Every x and every candidate is encoded once, by `energy.embed`; only codes meet in pairs.

    Args:
        method: a method or its energy, in evaluation mode where it normalizes over batches.
        x: (n, *event).
        candidates: (m, *event).
        k: how many, at most m.
        rng: for energies that are stochastic.
        chunk: how many are encoded, and how many candidates compared, at a time.

    Raises:
        ConfigurationError: k < 1 or k > m; or the energy takes no x, has a free z or couples the
            rows of a batch.
        ShapeError: x or candidates are not (n, *event).
        NonFiniteError: an energy is NaN.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> x, y = torch.tensor([[0.0], [5.0]]), torch.tensor([[4.0], [1.0], [8.0]])
        >>> retrieve(SquaredDistance(), x, y, k=2).indices
        tensor([[1, 0],
                [0, 2]])
    """
    codes = encode_candidates(method, x, candidates, chunk)
    if not 1 <= k <= codes.m:
        raise ConfigurationError(f"k is {k}; it must lie in 1 … {codes.m}, the candidates")
    found = [_lowest(sweep(), k) for sweep in codes.sweeps(chunk, rng)]
    return Retrieved(*(torch.cat(parts) for parts in zip(*found, strict=True)))


@torch.no_grad()
def rank(
    method: Method | Energy,
    x: Tree,
    candidates: Tree,
    right: Tensor,
    *,
    rng: Rng = None,
    chunk: int = 1024,
) -> Tensor:
    """The rank of the right candidate by its energy, 1 being the lowest: (n,) in float64.

    1 + #{E_j < E_right} + ½ #{j ≠ right : E_j = E_right}: a model that gives all the same energy
    gets the mean rank (m + 1) / 2. Then (1 / rank).mean() is the mean reciprocal rank, and
    (rank <= k).double().mean() the recall at k. `right` (n,) holds for each x the index of its
    right candidate; other arguments and errors are those of `retrieve`.

    Raises:
        ShapeError: right is not (n,).
        DtypeError: right is not of whole numbers.
        ConfigurationError: right lies outside the candidates.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> x, y = torch.tensor([[0.0], [5.0]]), torch.tensor([[4.0], [1.0], [8.0]])
        >>> rank(SquaredDistance(), x, y, torch.tensor([0, 0]))
        tensor([2., 1.], dtype=torch.float64)
    """
    codes = encode_candidates(method, x, candidates, chunk)
    if require_index("right", right).shape != (codes.n,):
        raise ShapeError(f"right has shape {tuple(right.shape)}; expected ({codes.n},), one per x")
    if not bool(((right >= 0) & (right < codes.m)).all()):
        raise ConfigurationError(f"right holds indices outside 0 … {codes.m - 1}, the candidates")
    ranks = []
    for sweep, rows in zip(codes.sweeps(chunk, rng), right.split(ROWS), strict=True):
        # Twice through the same blocks, so that equal energies are equal to the last bit.
        own = _energies_of(rows, sweep())
        ahead = [(e < own).sum(1) + 0.5 * (e == own).sum(1) for e in sweep()]
        ranks.append(0.5 + torch.stack(ahead).sum(0).double())
    return torch.cat(ranks)


def _lowest(sweep: Iterator[Tensor], k: int) -> Retrieved:
    """The k lowest in each row of all blocks, of equal ones those that come first."""
    kept, seen = None, 0
    for energies in sweep:
        index = torch.arange(seen, seen + energies.shape[1], device=energies.device)
        seen += energies.shape[1]
        new = Retrieved(index.expand_as(energies), energies)
        if kept is not None:
            new = Retrieved(*(torch.cat(pair, dim=1) for pair in zip(kept, new, strict=True)))
        order = new.energies.argsort(dim=1, stable=True)[:, :k]
        kept = Retrieved(*(part.gather(1, order) for part in new))
    assert kept is not None
    return kept


def _energies_of(right: Tensor, sweep: Iterator[Tensor]) -> Tensor:
    """The energies (rows, 1) of one candidate for each row, found in blocks of them all."""
    parts, seen = [], 0
    for energies in sweep:
        width = energies.shape[1]
        column = right[:, None] - seen
        found = energies.gather(1, column.clamp(0, width - 1))
        parts.append(torch.where((column >= 0) & (column < width), found, 0.0))
        seen += width
    return torch.stack(parts).sum(0)
