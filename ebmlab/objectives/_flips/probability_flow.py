"""Minimum probability flow: how fast the data would flow away towards the model."""

from torch import Tensor

from ebmlab.objectives._flips.flips import Flips

__all__ = ["MinimumProbabilityFlow"]


class MinimumProbabilityFlow(Flips):
    """mean Σ_{y'} exp(½ (E(y) - E(y'))), y' one site away from y.

    It is the rate at which probability leaves the data under dynamics that jump from y to y' with
    that rate and have exp(-E) as their stationary law. y' that are data too are not left out:
    flows between data cancel where the model fits. Convex where E is linear in its parameters.

    Args:
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ConfigurationError, ShapeError: y lies outside the space.

    Terms: `probability_flow`. Metrics: `lower`, the share of y' lower than y; `batch_norm`.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Ising
        >>> flat, up = Ising((3, 3), coupling=0.0), torch.ones(1, 3, 3)
        >>> MinimumProbabilityFlow()(flat, None, up).value.detach()
        tensor(9.)

    Source: Sohl-Dickstein, Battaglino, DeWeese 2011, arXiv:0906.4779.
    """

    term = "probability_flow"

    def cost(self, falls: Tensor) -> Tensor:
        """The rates of the jumps that a site may make."""
        return (0.5 * falls).exp().sum(-1)
