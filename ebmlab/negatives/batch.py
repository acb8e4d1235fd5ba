"""The others of the batch, of all ranks, as negatives."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.checks import require_tensor
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.protocols import Draw, Negatives
from ebmlab.ranks import gathered, rank_number
from ebmlab.types import Tree

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

    def __call__(
        self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None = None
    ) -> Draw:
        """Energies (b, n - 1), or (b, 2n - 2) with `both`; n is the batch of all ranks."""
        x, y = require_tensor("x", x), require_tensor("y", y)
        groups = {"y": y, "x": x} if self.both else {"y": y}
        everyone = [gathered(name, codes) for name, codes in groups.items()]
        if len(everyone[0]) < 2 or len(x) != len(y):
            raise ShapeError(
                f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}: negatives are the others of "
                "the batch, as many x as y; a batch of one holds none"
            )
        first = rank_number() * len(y)
        energies = [_others(energy(x[:, None], h[None], rng=rng), first) for h in everyone]
        return Draw(torch.cat(energies, dim=1), {})


def _others(matrix: Tensor, first: int) -> Tensor:
    """All but the pair of each row i with column first + i: (b, n) -> (b, n - 1)."""
    b = len(matrix)
    own = matrix[:, first : first + b]
    others = own.flatten()[1:].reshape(b - 1, b + 1)[:, :-1].reshape(b, b - 1)
    if matrix.shape[1] == b:
        return others
    return torch.cat([others, matrix[:, :first], matrix[:, first + b :]], dim=1)
