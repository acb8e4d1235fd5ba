"""Push down on the data and up on negatives."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ebmlab.energies import sided, view_pairs
from ebmlab.energy import Energy
from ebmlab.losses import MarginLoss
from ebmlab.protocols import Draw, Loss, Negatives, Objective
from ebmlab.types import Tree

__all__ = ["Contrastive"]


class Contrastive(Objective):
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

    on_codes = True

    def __init__(self, loss: MarginLoss, negatives: Negatives) -> None:
        super().__init__()
        self.loss = loss
        self.negatives = negatives

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Loss:
        """The loss of codes, or of raw pairs where nothing embeds."""
        head, hx, hy = sided(*energy.embed(x, y))
        pairs = view_pairs(head, hx, hy)
        losses, e_pos, draws = zip(*(self._pair(head, a, b, rng) for a, b in pairs), strict=True)
        value = torch.stack(losses).mean()
        low = torch.stack(e_pos).mean()
        high = torch.stack([draw.energies for draw in draws]).mean()
        metrics = {"e_pos": low, "e_neg": high, "gap": high - low, **_averaged(draws)}

        def commit() -> None:
            for draw in draws:
                draw.commit()

        return Loss(value, {"contrastive": value.detach()}, metrics, commit)

    def _pair(
        self, head: Energy, a: Tree, b: Tree, rng: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Draw]:
        """The loss of a pair of views; its mean energy, and the draw with that of its negatives.

        All energies of all negatives are too many to keep until the next pair is done.
        """
        e_pos, draw = head(a, b, rng=rng), self.negatives(head, a, b, rng)
        value = self.loss(e_pos, draw.energies).mean()
        means = e_pos.detach().mean(), draw._replace(energies=draw.energies.detach().mean())
        return value, *means

    def extra_repr(self) -> str:
        """What `print` shows, beside submodules."""
        parts = {"loss": self.loss, "negatives": self.negatives}
        own = {name: part for name, part in parts.items() if not isinstance(part, nn.Module)}
        return ", ".join(f"{name}={_shown(part)}" for name, part in own.items())


def _shown(part: object) -> str:
    return getattr(part, "__name__", repr(part))


def _averaged(draws: Sequence[Draw]) -> dict[str, Tensor]:
    return {
        name: torch.stack([draw.metrics[name] for draw in draws]).mean()
        for name in draws[0].metrics
    }
