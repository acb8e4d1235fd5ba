"""Ratio matching: how sure the energy is that a datum is the changed one."""

from torch import Tensor

from ebmlab.objectives._flips.flips import Flips

__all__ = ["RatioMatching"]


class RatioMatching(Flips):
    """mean Σ_{y'} σ(E(y) - E(y'))², y' one site away from y.

    σ(E(y) - E(y')) is the model's probability of y' among the two, which is to be that of the
    data. It is bounded: no y' costs more than 1, however low it lies, and where all lie low the
    gradient vanishes.

    Args:
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError, ShapeError: y lies outside the space.

    Terms: `ratio_matching`. Metrics: `lower`, the share of y' lower than y; `batch_norm`.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Ising
        >>> RatioMatching()(Ising((3, 3), coupling=0.0), None, torch.ones(1, 3, 3)).value.detach()
        tensor(2.2500)

    Source: Hyvärinen 2007, "Some extensions of score matching"; one-hot y as in Lyu 2009.
    """

    term = "ratio_matching"

    def cost(self, falls: Tensor) -> Tensor:
        """The squared probability of each other value against the present one."""
        return falls.sigmoid().square().sum(-1)
