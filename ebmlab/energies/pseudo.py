"""The energy of a text under a masked model: each token by what the others say of it."""

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.energies.categorical import Categorical
from ebmlab.energies.classifier import minus_logit
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Tree

__all__ = ["PseudoEnergy"]


class PseudoEnergy(Energy):
    """E(y) = -Σ_s log p(y_s | y without y_s), each site hidden in turn: a pass for each of them.

    The conditionals of a masked model need not be those of any one density of texts; this is one
    that they suggest, exp(-E) / Z, and its own conditionals are others.

    Args:
        masked: the model, with a token that hides.

    Raises:
        ConfigurationError: it has none.

    Example:
        >>> from ebmlab.networks import Transformer
        >>> masked = Categorical(Transformer(5, 3, dim=4, depth=1, heads=1), y_ndim=1, hidden=5)
        >>> PseudoEnergy(masked)(None, torch.zeros(2, 3, dtype=torch.long)).shape
        torch.Size([2])

    Source: Besag 1975; of masked models, Wang, Cho 2019, arXiv:1902.04094; Salazar et al. 2020,
    arXiv:1910.14659; as an energy, Goyal, Dyer, Berg-Kirkpatrick 2022, arXiv:2106.02736.
    """

    takes_x = False

    def __init__(self, masked: Categorical) -> None:
        super().__init__()
        if masked.hidden is None or masked.y_event != 1:
            raise ConfigurationError(
                "the model hides no sites of a text: Categorical(network, y_ndim=1, hidden=K)"
            )
        self.masked, self.hidden = masked, masked.hidden

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Minus the pseudo-log-likelihood, in nats."""
        y = require_tensor("y", y)
        each = torch.eye(y.shape[-1], dtype=torch.bool, device=y.device)
        each = each.reshape(len(each), *[1] * (y.ndim - 1), -1)
        logits = self.masked.logits(torch.where(each, self.hidden, y))
        own = logits.diagonal(dim1=0, dim2=-2).mT
        return minus_logit(own.log_softmax(-1), y, ("y", "y")).sum(-1)
