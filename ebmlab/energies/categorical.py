"""A softmax over tokens read as an energy of a context x and tokens y."""

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_labels, require_tensor
from ebmlab._precise import precise
from ebmlab.energies.classifier import minus_logit
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Rng, Tree

__all__ = ["Categorical"]


class Categorical(Energy):
    """E(x, y) = -Σ_s f(x)_{s, y_s} of a context x and a token y_s at each site s.

    Given x the sites are independent, each with the softmax of its logits: p(y | x) =
    Π_s softmax(f(x)_s)_{y_s}. With a token that hides, x is y with some sites hidden, and only
    these are open: a site that x shows costs nothing as it is, and +∞ with another token.

    Args:
        network: f, (n, *event) -> (n, *sites, K), without normalization over the batch.
        x_ndim: event dimensions of x: 1 texts, 0 tokens.
        y_ndim: 0 where y is one token, 1 where it is a text, a token at each site.
        hidden: the number of the token that hides, K as a rule; x and y then have the same sites.

    Raises:
        ConfigurationError: a token of y lies outside 0 … K - 1, or sites are hidden of a y that
            is not like x.
        DtypeError: tokens are not whole numbers.
        ShapeError: y, or x where sites are hidden, has other sites than the logits.

    Example:
        >>> from ebmlab.networks import Transformer
        >>> energy = Categorical(Transformer(5, 3, dim=4, depth=1, heads=1), y_ndim=1, hidden=5)
        >>> x, y = torch.tensor([[0, 5, 4]]), torch.tensor([[0, 2, 4]])
        >>> bool(energy(x, y).allclose(-energy.logits(x)[:, 1, 2]))
        True

    Source: LeCun et al. 2006, section 2.2.4; hidden tokens, Devlin et al. 2019, arXiv:1810.04805.
    """

    shows = ("hidden",)

    def __init__(
        self, network: nn.Module, *, x_ndim: int = 1, y_ndim: int = 0, hidden: int | None = None
    ) -> None:
        super().__init__()
        if hidden is not None and x_ndim != y_ndim:
            raise ConfigurationError(
                f"x_ndim is {x_ndim}, y_ndim {y_ndim}; where x hides sites of y, they are alike"
            )
        self.network, self.hidden = network, hidden
        self.x_ndim = self.x_event = x_ndim
        self.y_ndim = self.y_event = y_ndim

    def logits(self, x: Tree) -> Tensor:
        """The logits f(x), (*batch, *sites, K)."""
        return over_batch(self.network, (require_tensor("x", x), self.x_event), names="x")

    def probabilities(self, x: Tree) -> Tensor:
        """p(y_s = k | x) of every token k at each site, (*batch, *sites, K)."""
        return (-self._costs(x)).softmax(-1)

    def conditional(self, y: Tensor, site: int) -> Tensor:
        """Logits (*batch, K) of the token at one site of texts y, hidden there alone."""
        if self.hidden is None or self.y_event != 1:
            raise ConfigurationError("no site of a text can be hidden: pass y_ndim=1 and hidden=K")
        x = y.clone()
        x[..., site] = self.hidden
        return precise(self.logits(x))[..., site, :]

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Minus the logits of y's tokens, summed over the sites that are open."""
        return self._summed(self._costs(x), require_tensor("y", y))

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """E(x, v) of every v in y (m, *sites), from one pass: (*batch, m).

        Of tokens (m,), where y is a text, what each costs at each site: (*batch, *sites, m).
        """
        costs, values = self._costs(x), require_tensor("y", y)
        if values.ndim == 1:
            return costs[..., require_labels("y", values, costs.shape[-1]).long()]
        return self._summed(costs.unsqueeze(-2 - self.y_event), values)

    def _costs(self, x: Tree) -> Tensor:
        """What each token costs at each site, (*batch, *sites, K)."""
        logits = precise(self.logits(x))
        if self.hidden is None:
            return -logits
        shown = require_labels("x", require_tensor("x", x), self.hidden + 1)
        self._require_sites("x", shown, logits)
        tokens = torch.arange(logits.shape[-1], device=logits.device)
        same = torch.where(shown[..., None] == tokens, 0.0, torch.inf).to(logits)
        return torch.where((shown == self.hidden)[..., None], -logits, same)

    def _summed(self, costs: Tensor, y: Tensor) -> Tensor:
        self._require_sites("y", y, costs)
        each = minus_logit(-costs, y, ("y", "x"))
        return each.flatten(each.ndim - self.y_event).sum(-1) if self.y_event else each

    def _require_sites(self, name: str, t: Tensor, logits: Tensor) -> None:
        k = self.y_event
        sites, got = logits.shape[logits.ndim - 1 - k : -1], t.shape[t.ndim - k :]
        if sites != got:
            raise ShapeError(
                f"{name} has shape {tuple(t.shape)} and {k} event dimensions, the logits "
                f"{tuple(logits.shape)}; expected a token at each of the sites {tuple(sites)}"
            )
