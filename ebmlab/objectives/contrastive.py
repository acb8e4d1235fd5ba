"""Push down on the data and up on negatives."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ebmlab._events import per_datum
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.losses import MarginLoss
from ebmlab.protocols import CodeObjective, Draw, Loss, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["Contrastive"]


class Contrastive(CodeObjective):
    """mean loss(E(x, y), E(x, negatives of y)), averaged over pairs of different views.

    Args:
        loss: of `ebmlab.losses`, (e_pos (b,), e_neg (b, k)) -> (b,).
        negatives: of `ebmlab.negatives`; they see codes where the energy embeds.

    Metrics: `e_pos`, `e_neg` (means), `gap` = e_neg - e_pos, and those of the negatives.

    Example:
        >>> from ebmlab import energies, losses, negatives
        >>> objective = Contrastive(losses.InfoNCE(0.5), negatives.InBatch())
        >>> h = torch.eye(4)
        >>> objective(energies.Cosine(), h, h).metrics["gap"]
        tensor(1.)

    Source: LeCun et al. 2006.
    """

    shows = ("loss", "negatives")

    def __init__(self, loss: MarginLoss, negatives: Negatives) -> None:
        super().__init__()
        self.loss, self.negatives = loss, negatives

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The mean loss of the pairs of views."""
        codes = codes.apart()
        parts = [self._pair(codes.head, x, y, rng) for x, y in codes.each()]
        losses, e_pos, draws = zip(*parts, strict=True)
        value, low, high = map(_mean, (losses, e_pos, [draw.energies for draw in draws]))
        metrics = {"e_pos": low, "e_neg": high, "gap": high - low, **_averaged(draws)}

        def commit() -> None:
            for draw in draws:
                draw.commit()

        return Loss(value, {"contrastive": value.detach()}, metrics, commit)

    def _pair(self, head: Energy, x: Tree, y: Tree, rng: Rng) -> tuple[Tensor, Tensor, Draw]:
        """The loss of a pair of views; its mean energy, and the draw with that of its negatives.

        All energies of all negatives are too many to keep until the next pair is done.
        """
        e_pos, draw = head(x, y, rng=rng), self.negatives(head, x, y, rng)
        value = per_datum(self.loss, e_pos, draw.energies).mean()
        means = e_pos.detach().mean(), draw._replace(energies=draw.energies.detach().mean())
        return value, *means


def _mean(numbers: Sequence[Tensor]) -> Tensor:
    return numbers[0] if len(numbers) == 1 else torch.stack(tuple(numbers)).mean()


def _averaged(draws: Sequence[Draw]) -> dict[str, Tensor]:
    if len(draws) == 1:
        return draws[0].metrics
    return {
        name: torch.stack([draw.metrics[name] for draw in draws]).mean()
        for name in draws[0].metrics
    }
