"""Push down on the data, and keep the population of codes from collapsing."""

from functools import reduce

import torch
from torch import Tensor

from ebmlab._checks import require_non_negative
from ebmlab.codes import Codes
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import CodeObjective, Loss, Regularizer
from ebmlab.regularizers import over_views
from ebmlab.types import Rng

__all__ = ["Regularized"]


class Regularized(CodeObjective):
    """energy_weight · mean E(x, y) + weight · R(hx, hy), averaged over pairs of different views.

    Without a regularizer it is the energy loss: then the architecture (a latent of little
    information, a stopped gradient, a slow teacher) has to prevent collapse, or nothing does.

    The head is called, and z inferred, once for each view of y. The regularizer is called once
    for each pair of views, see `over_views`.

    Args:
        regularizer: of `ebmlab.regularizers`, or None.
        weight: of the regularizer, >= 0.
        energy_weight: of the mean energy, >= 0; at 0 it is a metric only.

    Terms: `energy` where it has a weight, and `regularizer` where there is one.

    Raises:
        ConfigurationError: energy_weight is 0 without a regularizer.

    Example:
        >>> from ebmlab import energies, regularizers
        >>> objective = Regularized(regularizers.VICReg(), energy_weight=25 / 3)
        >>> h = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
        >>> sorted(objective(energies.SquaredDistance(), h, h).terms)
        ['energy', 'regularizer']

    Source: Bardes, Ponce, LeCun 2022, arXiv:2105.04906; LeCun et al. 2006 for the energy loss.
    """

    shows = ("regularizer", "weight", "energy_weight")

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
        self.weight, self.energy_weight = weight, energy_weight

    def of(self, codes: Codes, rng: Rng) -> Loss:
        """The energy of the pairs of views, and the population's penalty."""
        with torch.set_grad_enabled(self.energy_weight > 0 and torch.is_grad_enabled()):
            e_pos = codes.apart().energies(rng=rng).mean()
        terms: dict[str, Tensor] = {}
        if self.energy_weight > 0:
            terms["energy"] = self.energy_weight * e_pos
        if self.regularizer is not None:
            terms["regularizer"] = self.weight * over_views(self.regularizer, codes)
        value = reduce(torch.add, terms.values())
        detached = {name: term.detach() for name, term in terms.items()}
        return Loss(value, detached, {"e_pos": e_pos.detach()})
