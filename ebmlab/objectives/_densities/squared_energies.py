"""Hold energies near zero."""

import torch
from torch import Tensor

from ebmlab.codes import Codes
from ebmlab.protocols import CodeObjective, Loss, Negatives
from ebmlab.types import Rng

__all__ = ["SquaredEnergies"]


class SquaredEnergies(CodeObjective):
    """mean E(x, y)² [+ mean E(x, y')², y' negatives]: `objective + 0.1 * SquaredEnergies()`.

    Losses that see differences only leave the height of the energy free, and let it drift.

    Args:
        negatives: hold these too; they are drawn anew, not shared with the objective.

    Terms: `squared_energies`.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> SquaredEnergies()(SquaredDistance(), torch.zeros(4, 2), torch.ones(4, 2)).value
        tensor(4.)

    Source: Du, Mordatch 2019, arXiv:1903.08689.
    """

    shows = ("negatives",)

    def __init__(self, negatives: Negatives | None = None) -> None:
        super().__init__()
        self.negatives = negatives

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The mean squares."""
        squares: list[Tensor] = [codes.energies(rng=rng).square().mean()]
        draws = []
        if self.negatives is not None:
            draws = [self.negatives(codes.head, x, y, rng) for x, y in codes.each()]
            squares.append(torch.stack([draw.energies.square().mean() for draw in draws]).mean())
        value = torch.stack(squares).sum()

        def commit() -> None:
            for draw in draws:
                draw.commit()

        return Loss(value, {"squared_energies": value.detach()}, {}, commit)
