"""Exact maximum likelihood, where all values of y can be summed over."""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._precise import SINGLE, Precise
from ebmlab._ranks import rank_count, totaled
from ebmlab._rows import fingerprints, located
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.negatives.coupling import batch_norm
from ebmlab.partition import binary_states, nodes, trapezoid
from ebmlab.partition.grids import Rule
from ebmlab.protocols import Loss, Objective
from ebmlab.types import Rng, Tree

__all__ = ["Likelihood"]


class Likelihood(Objective, Precise):
    """-mean log p(y | x) = mean E(x, y) + log Z(x), Z(x) = Σ_i w_i exp(-E(x, v_i)), in nats.

    Exact where the v_i are all that y can be, as labels or bits are: then every w is 1, and
    E(x, y) is looked up among the energies of all values, which `Energy.at_each` gives in one
    pass. Exact up to quadrature where they are nodes of an integral: its box must hold the data
    and the model, whose mass outside goes unseen. An energy that takes x has
    batch · m energies to compute, one that does not only m.

    Where the values are of one site of y, as `torch.arange(k)` of a text's tokens are, and the
    energy's sites are independent given x, as those of `energies.Categorical` are, log Z is a sum
    over the sites, and one pass through the network serves all. The loss is then the mean over
    all open sites of the batch (of all ranks), where more than one value is possible: neither the
    length of texts nor the share that is hidden changes its scale.

    Args:
        values: v (m, *event); `torch.arange(k)` of labels, `torch.eye(k)` one-hot.
        log_weights: log w (m,), such as of `partition.nodes`; None: v are all values of y.

    Terms: `likelihood`. Metrics: `e_pos` and `log_z`, means as of the loss; `batch_norm` (1 where
    it couples data and values); `outside`, the share of the data beyond the outermost nodes,
    where there are weights; `sites`, how many are open in a datum, where values are of one site.

    Raises:
        ShapeError: the values are not like y or a site of it, the weights not one for each, or
            sites are not independent given x.
        ConfigurationError: a y is none of the values, or a value occurs twice.

    Example:
        >>> from ebmlab.energies import RBM
        >>> loss = Likelihood.over_states(4)(RBM(4, 2), None, torch.ones(3, 4))
        >>> bool((loss.value - 4 * torch.tensor(2.0).log()).abs() < 0.1)
        True

    Source: Fisher 1922; LeCun et al. 2006, section 2.2.4 (negative log-likelihood).
    """

    shows = ("values",)
    floors: ClassVar = {"values": SINGLE, "log_weights": SINGLE}
    values: Tensor
    log_weights: Tensor | None
    known: Tensor
    order: Tensor

    def __init__(self, values: Tensor, log_weights: Tensor | None = None) -> None:
        super().__init__()
        if not len(values) or (log_weights is not None and log_weights.shape != values.shape[:1]):
            weights = None if log_weights is None else tuple(log_weights.shape)
            raise ShapeError(
                f"values have shape {tuple(values.shape)}, log_weights {weights}; they must be "
                "(m, *event) and (m,), m >= 1"
            )
        known, order = fingerprints(values.detach()).sort()
        if log_weights is None and bool((known.diff() == 0).any()):
            raise ConfigurationError("a row of values occurs twice, and would be counted twice")
        # What is summed over is configuration, not state.
        for name, t in {"values": values, "known": known, "order": order}.items():
            self.register_buffer(name, t.detach().clone(), persistent=False)
        weights = None if log_weights is None else log_weights.detach().clone()
        self.register_buffer("log_weights", weights, persistent=False)

    @classmethod
    def over_states(cls, event: int | Sequence[int] | Tensor) -> Self:
        """Over all y in {0, 1} of an event, at most 22 sites, see `partition.binary_states`."""
        return cls(binary_states(event))

    @classmethod
    def on_grid(cls, lo: Tensor, hi: Tensor, resolution: int = 64, rule: Rule = trapezoid) -> Self:
        """By quadrature on the box lo <= y <= hi of one to three dimensions.

        Between two nodes a flexible energy may fall unseen: keep them closer than the finest
        detail of the data.

        Args:
            lo: the lower corner (d,).
            hi: the upper corner (d,).
            resolution: nodes along each axis.
            rule: of `partition`; trapezoid is best where densities vanish at the edges.
        """
        return cls(*nodes(lo, hi, resolution, rule))

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The negative log-likelihood."""
        y = require_tensor("y", y)
        ndim = self.values.ndim - 1
        if y.shape[y.ndim - ndim :] != self.values.shape[1:]:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, the values {tuple(self.values.shape)}; expected "
                "the same event in both"
            )
        coupled = batch_norm(energy, self.values, stacklevel=4)
        each = energy.at_each(x, self.values.to(y.dtype), rng=rng)
        sites = energy.y_ndim - ndim if isinstance(energy.y_ndim, int) else 0
        if sites > 0:
            e_pos, log_z, metrics = self._of_sites(each, y, sites)
        elif self.log_weights is None:
            e_pos, log_z, metrics = self._own(each, y).mean(), (-each).logsumexp(-1).mean(), {}
        else:
            e_pos = energy(x, y, rng=rng).mean()
            log_z = (self.log_weights.to(each) - each).logsumexp(-1).mean()
            metrics = {"outside": self._outside(y)}
        value = e_pos + log_z
        metrics |= {"e_pos": e_pos.detach(), "log_z": log_z.detach(), "batch_norm": coupled}
        return Loss(value, {"likelihood": value.detach()}, metrics)

    def _of_sites(
        self, each: Tensor, y: Tensor, sites: int
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Means of E and log Z over open sites, of what each value costs (*batch, *sites, m)."""
        at = y.shape[: y.ndim - self.values.ndim + 1][-sites:]
        if each.shape[-1 - sites :] != (*at, len(self.values)) or self.log_weights is not None:
            raise ShapeError(
                f"values {tuple(self.values.shape)} are of a site of y {tuple(y.shape)}, their "
                f"energies {tuple(each.shape)}; expected (*batch, *sites, m), as of "
                "energies.Categorical, whose sites are independent given x, and no weights"
            )
        free = each.isfinite().sum(-1) > 1
        # Ranks average their losses: each counts by how many sites it holds of those of all.
        count = totaled(free.sum()).clamp(min=1)
        e_pos, log_z = (
            rank_count() * t.sum() / count for t in (self._own(each, y), (-each).logsumexp(-1))
        )
        data = free.shape[: free.ndim - sites].numel()
        return e_pos, log_z, {"sites": free.sum().to(each) / data}

    def _own(self, each: Tensor, y: Tensor) -> Tensor:
        """The energies of y itself among those of all values."""
        event = self.values.shape[1:]
        prints = fingerprints(y.detach().reshape(-1, *event))
        place, missing = located(prints, self.known, self.order)
        if bool(missing.any()):
            row = int(missing.nonzero()[0])
            raise ConfigurationError(
                f"y, row {row}, is none of the {len(self.values)} values that are summed over: "
                "pass all that y can be, or log_weights where they are nodes of an integral"
            )
        index = place.reshape(y.shape[: y.ndim - len(event)])
        batch = torch.broadcast_shapes(each.shape[:-1], index.shape)
        own = each.expand(*batch, -1).gather(-1, index.expand(batch)[..., None])
        return own.squeeze(-1)

    def _outside(self, y: Tensor) -> Tensor:
        low, high = (bound.to(y.dtype) for bound in self.values.aminmax(dim=0))
        within = ((y >= low) & (y <= high)).reshape(-1, max(low.numel(), 1)).all(1)
        return 1 - within.to(self.values).mean()
