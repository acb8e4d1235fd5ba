"""Concrete score matching: ratios of probabilities between neighbors, as slopes are elsewhere."""

from torch import Tensor

from ebmlab.objectives._flips.flips import Flips

__all__ = ["ConcreteScore"]


class ConcreteScore(Flips):
    """mean Σ_{y'} r² - 2/r + 1 with r = exp(E(y) - E(y')), y' one site away from y.

    It is E ‖c - c_data‖² up to a constant, with c(y) = (r - 1) over all y': the relative change
    of probability to each neighbor, for which -∇E stands where y is continuous. Ratios enter by
    their squares, so that rare y weigh much: it needs more data than the other objectives of
    neighbors, and is not bounded below on data that lack neighbors.

    Args:
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError, ShapeError: y lies outside the space.

    Terms: `concrete_score`. Metrics: `lower`, the share of y' lower than y; `batch_norm`.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Ising
        >>> ConcreteScore()(Ising((3, 3), coupling=0.0), None, torch.ones(1, 3, 3)).value.detach()
        tensor(0.)

    Source: Meng, Choi, Song, Ermon 2022, arXiv:2211.00802.
    """

    term = "concrete_score"

    def cost(self, falls: Tensor) -> Tensor:
        """(r - 1)² + 2 (r - 1) - 2 (1/r - 1): the last is what y is to its neighbors."""
        return ((2 * falls).exp() - 2 * (-falls).exp() + 1).sum(-1)
