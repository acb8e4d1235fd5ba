"""Push down on the data, and keep the population of codes from collapsing."""

import torch
from torch import Tensor

from ebmlab.checks import require_non_negative, require_tensor
from ebmlab.energies import view_pairs
from ebmlab.energy import Energy
from ebmlab.protocols import Loss, Objective, Regularizer
from ebmlab.types import Tree

__all__ = ["Regularized"]


class Regularized(Objective):
    """energy_weight · mean E(x, y) + weight · R(hx, hy), averaged over pairs of different views.

    Without a regularizer it is the energy loss: then the architecture (a latent of little
    information, a stopped gradient, a slow teacher) has to prevent collapse, or nothing does.

    Args:
        regularizer: of `ebmlab.regularizers`, or None.
        weight: of the regularizer.
        energy_weight: of the mean energy.

    Terms: `energy`, and `regularizer` where there is one.

    Example:
        >>> from ebmlab import energies, regularizers
        >>> objective = Regularized(regularizers.VICReg(), energy_weight=25 / 3)
        >>> h = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
        >>> sorted(objective(energies.SquaredDistance(), h, h).terms)
        ['energy', 'regularizer']

    Source: Bardes, Ponce, LeCun 2022, arXiv:2105.04906; LeCun et al. 2006 for the energy loss.
    """

    on_codes = True

    def __init__(
        self,
        regularizer: Regularizer | None = None,
        weight: float = 1.0,
        energy_weight: float = 1.0,
    ) -> None:
        super().__init__()
        require_non_negative("weight", weight)
        require_non_negative("energy_weight", energy_weight)
        self.regularizer = regularizer
        self.weight = weight
        self.energy_weight = energy_weight

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Loss:
        """The loss of codes, or of raw pairs where nothing embeds."""
        head, hx, hy = energy.embed(x, y)
        pairs = view_pairs(head, hx, hy)
        e_pos = torch.stack([head(a, b, rng=rng).mean() for a, b in pairs]).mean()
        terms: dict[str, Tensor] = {"energy": self.energy_weight * e_pos}
        if self.regularizer is not None:
            penalties = [
                self.regularizer(require_tensor("x", a), require_tensor("y", b)) for a, b in pairs
            ]
            terms["regularizer"] = self.weight * torch.stack(penalties).mean()
        value = torch.stack(list(terms.values())).sum()
        detached = {name: term.detach() for name, term in terms.items()}
        return Loss(value, detached, {"e_pos": e_pos.detach()})

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.regularizer}, weight={self.weight}, energy_weight={self.energy_weight}"
