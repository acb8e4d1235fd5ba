"""The others of the batch, of all ranks, as negatives."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._ranks import gathered, rank_number
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.protocols import Draw, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["InBatch"]


@dataclass(frozen=True)
class InBatch(Negatives):
    """The other y of the batch: E(x_i, y_j) for j != i.

    The batch is that of all ranks together, and gradients pass to the codes of the others.

    Args:
        both: also E(x_i, x_j), the other x, as SimCLR does; x and y must be codes of one kind.

    Raises:
        ShapeError: a batch of one has no others.

    Example:
        >>> from ebmlab.energies import Cosine
        >>> InBatch(both=True)(Cosine(), torch.eye(4), torch.eye(4)).energies.shape
        torch.Size([4, 6])

    Source: Sohn 2016; Chen et al. 2020, arXiv:2002.05709.
    """

    both: bool = False

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Draw:
        """Energies (b, n - 1), or (b, 2n - 2) with `both`; n is the batch of all ranks."""
        x, y = require_tensor("x", x), require_tensor("y", y)
        groups = {"y": y, "x": x} if self.both else {"y": y}
        everyone = [gathered(name, codes) for name, codes in groups.items()]
        if len(everyone[0]) < 2 or len(x) != len(y):
            raise ShapeError(
                f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}: negatives are the others of "
                "the batch, as many x as y; a batch of one holds none"
            )
        # One matrix, each datum's codes side by side, so that one copy leaves its own out.
        data = torch.stack(everyone, dim=1).flatten(0, 1)
        energies = energy(x[:, None], data[None], rng=rng)
        return Draw(_others(energies, len(groups), rank_number() * len(y)), {})


def _others(matrix: Tensor, codes: int, first: int) -> Tensor:
    """Row i without its own datum first + i: (b, n · codes) -> (b, (n - 1) · codes)."""
    b = len(matrix)
    begin, end = first * codes, (first + b) * codes
    own = matrix[:, begin:end]
    # Read row by row, after the first datum every (b + 1)st is one of them.
    others = own.flatten()[codes:].reshape(b - 1, (b + 1) * codes)[:, :-codes]
    others = others.reshape(b, (b - 1) * codes)
    if matrix.shape[1] == end - begin:
        return others
    return torch.cat([others, matrix[:, :begin], matrix[:, end:]], dim=1)
