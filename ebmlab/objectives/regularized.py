"""Push down on the data, and keep the population of codes from collapsing."""

from functools import reduce

import torch
from torch import Tensor, nn

from ebmlab._checks import require_non_negative, require_tensor
from ebmlab.energies import are_views, sided, view_groups
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Loss, Objective, Regularizer
from ebmlab.regularizers import over_views
from ebmlab.types import Tree

__all__ = ["Regularized"]


class Regularized(Objective):
    """energy_weight · mean E(x, y) + weight · R(hx, hy), averaged over pairs of different views.

    Without a regularizer it is the energy loss: then the architecture (a latent of little
    information, a stopped gradient, a slow teacher) has to prevent collapse, or nothing does.

    The head is called, and z inferred, once for each view of y. A regularizer is asked once for a
    pair of views in either order where x and y share their codes, and once for a view where it
    looks at one population at a time.

    Args:
        regularizer: of `ebmlab.regularizers`, or None.
        weight: of the regularizer.
        energy_weight: of the mean energy; at 0 it is a metric only.

    Terms: `energy` where it has a weight, and `regularizer` where there is one.

    Raises:
        ConfigurationError: a weight is negative, or energy_weight is 0 without a regularizer.

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
        if regularizer is None and energy_weight == 0:
            raise ConfigurationError("energy_weight is 0 and there is no regularizer: no loss")
        self.regularizer = regularizer
        self.weight = weight
        self.energy_weight = energy_weight

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: torch.Generator | None) -> Loss:
        """The loss of codes, or of raw pairs where nothing embeds."""
        head, hx, hy = energy.embed(x, y)
        with torch.set_grad_enabled(self.energy_weight > 0 and torch.is_grad_enabled()):
            judge, a, b = sided(head, hx, hy)
            groups = [judge(*pair, rng=rng).flatten() for pair in view_groups(judge, a, b)]
            e_pos = (groups[0] if len(groups) == 1 else torch.cat(groups)).mean()
        terms: dict[str, Tensor] = {}
        if self.energy_weight > 0:
            terms["energy"] = self.energy_weight * e_pos
        if self.regularizer is not None:
            terms["regularizer"] = self.weight * self._regularized(self.regularizer, head, hx, hy)
        value = reduce(torch.add, terms.values())
        detached = {name: term.detach() for name, term in terms.items()}
        return Loss(value, detached, {"e_pos": e_pos.detach()})

    def _regularized(self, regularizer: Regularizer, head: Energy, hx: Tree, hy: Tree) -> Tensor:
        a, b = require_tensor("x", hx), require_tensor("y", hy)
        views = are_views(head, hx, hy)
        return over_views(regularizer, a, b) if views else regularizer(a, b)

    def extra_repr(self) -> str:
        """What `print` shows, beside submodules."""
        own = "" if isinstance(self.regularizer, nn.Module) else f"{self.regularizer}, "
        return f"{own}weight={self.weight}, energy_weight={self.energy_weight}"
