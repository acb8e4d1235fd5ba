"""Pseudo-likelihood: each site from all others."""

from torch import Tensor
from torch.nn import functional

from ebmlab.objectives._flips.flips import Flips

__all__ = ["PseudoLikelihood"]


class PseudoLikelihood(Flips):
    """mean Σ_i -log p(y_i | all other sites) = mean Σ_i log(1 + Σ_{y'} exp(E(y) - E(y'))).

    y' runs over the other values of site i: one of binary y, where a term is
    softplus(E(y) - E(y')), and k - 1 of one-hot y. Convex where E is linear in its parameters.

    Args:
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError, ShapeError: y lies outside the space.

    Terms: `pseudo_likelihood`, in nats. Metrics: `lower`, the share of y' lower than y;
    `batch_norm`.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Ising
        >>> up = torch.ones(1, 3, 3)
        >>> PseudoLikelihood()(Ising((3, 3), coupling=0.2), None, up).value.detach() / 9
        tensor(0.1839)

    Source: Besag 1975, "Statistical analysis of non-lattice data".
    """

    term = "pseudo_likelihood"

    def cost(self, falls: Tensor) -> Tensor:
        """-log of the present value's share: softplus of what the others weigh together."""
        return functional.softplus(falls.logsumexp(-1), threshold=40)
