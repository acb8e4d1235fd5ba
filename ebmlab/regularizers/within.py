"""Spread within groups: what differs between views or moments of one thing is kept, too."""

import torch
from torch import Tensor

from ebmlab._precise import precise
from ebmlab._shown import Shown
from ebmlab.errors import ShapeError
from ebmlab.protocols import Regularizer
from ebmlab.regularizers.populations import Population, require_sides

__all__ = ["Within"]


class Within(Regularizer, Shown):
    """The penalty of what differs within groups: of codes less the mean of their group.

    R(√(m / (m - 1)) (h - mean of its group)) over the rows of hx and hy together, where m rows are
    in a group: row i of hx and of hy, and all rows of one number in `groups`. The root makes the
    variance of these rows that of a draw within a group, whatever m is.

    A penalty of the whole population is content with codes that only tell things apart: what
    differs between moments of one thing, and what only z could predict, may leave the codes.
    Under `Within(VICReg())` it may not. Groups lie on one rank each; the population is that of all
    ranks.

    Args:
        penalty: of the population of differences: VICReg, SIGReg.

    Raises:
        ShapeError: a group has one row, or hx and hy have different shapes.

    Example:
        >>> from ebmlab.regularizers import VICReg
        >>> hx = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
        >>> VICReg()(hx, hx) < 6, Within(VICReg())(hx, hx + 1e-3) > 24
        (tensor(True), tensor(True))
    """

    def __init__(self, penalty: Population) -> None:
        super().__init__()
        self.penalty = penalty

    def __call__(self, hx: Tensor, hy: Tensor, *, groups: Tensor | None = None) -> Tensor:
        """The penalty of what differs within the groups of hx and hy (batch, dim), a scalar."""
        require_sides(hx, hy)
        groups = torch.arange(len(hx), device=hx.device) if groups is None else groups
        with torch.autocast(hx.device.type, enabled=False):
            if hx is hy:
                _require_pairs(groups)
                return self.penalty.of(_differences(precise(hx), groups))
            both = torch.cat([precise(hx), precise(hy)])
            return self.penalty.of(_differences(both, groups.repeat(2)))


def _differences(h: Tensor, groups: Tensor) -> Tensor:
    """√(m / (m - 1)) (h - mean of its group) of rows h (n, dim), whose groups are below n."""
    counts = h.new_zeros(len(h)).index_add(0, groups, h.new_ones(len(h)))[groups, None]
    sums = torch.zeros_like(h).index_add(0, groups, h)[groups]
    return (counts / (counts - 1)).sqrt() * (h - sums / counts)


def _require_pairs(groups: Tensor) -> None:
    """Raise where a row is alone in its group; with hx and hy apart none is."""
    lonely = groups.bincount()[groups] < 2
    if bool(lonely.any()):
        raise ShapeError(
            f"group {int(groups[lonely][0])} has one row; what differs within a group needs two: "
            "hand over y beside x, views, or moments (things, moments, *event)"
        )
