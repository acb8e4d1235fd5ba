"""Mixtures of energies, "or" where a sum is "and": of any, and of densities."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ebmlab._held import hold
from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab.energies._densities.density import Density
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.several import Several
from ebmlab.types import Rng, Tree

__all__ = ["DensityMixture", "Mixture"]


class Mixture(Several):
    """E(x, y) = -log Σ_k w_k exp(-E_k(x, y)), with w = softmax(logits) that sum to 1.

    The weights are those of the unnormalized parts: part k has the mass w_k Z_k in exp(-E), so
    that one whose energies are low everywhere outweighs the others. Where log Z_k is known,
    `E_k + Constant(log Z_k)` levels it, and w_k is its mass (`DensityMixture` does so).
    `Mixture(…) / T` is no mixture of the tempered parts: those are `Mixture(E_1 / T, …)`.

    Args:
        energies: E_k, of the same y; x and z go to those that take them.
        weights: w (k), positive, normalized to sum to 1; None: equal, or by the logits.
        logits: (k), a Parameter to learn them.

    Raises:
        ConfigurationError: there is no energy, a weight is not positive, or both are given.
        ShapeError: the energies differ in y_ndim, or the weights are not one for each.

    Example:
        >>> from ebmlab.energies import Constant, Gaussian
        >>> peak, floor = Gaussian(torch.zeros(2), torch.eye(2)), Constant(3.0)
        >>> either = Mixture(peak, floor)  # outliers cost no more than 3 + log 2
        >>> bool(either(None, torch.full((2,), 9.0)) < 3.7)
        True

    Source: Du, Li, Mordatch 2020, arXiv:2004.06030 (disjunction).
    """

    logits: Tensor | None

    def __init__(
        self, *energies: Energy, weights: Tensor | None = None, logits: Tensor | None = None
    ) -> None:
        super().__init__(*energies)
        hold(self, "logits", _logits(weights, logits, len(energies)))

    def blend(self, values: Sequence[Tensor]) -> Tensor:
        """-log Σ_k w_k exp(-E_k)."""
        return -self._logs(values).logsumexp(0)

    def blend_slopes(
        self, energies: Sequence[Tensor], slopes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """-log Σ_k w_k exp(-E_k) and Σ_k r_k ∂E_k/∂y, with r the `responsibilities`."""
        return _blended(self._logs(energies).detach(), slopes)

    def responsibilities(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """r_k = w_k exp(-E_k) / Σ_j w_j exp(-E_j): the share of each part at y, (k, *batch)."""
        return self._logs(self.values(x, y, z, rng)).softmax(0)

    def _logs(self, energies: Sequence[Tensor]) -> Tensor:
        """log w_k - E_k, (k, *batch)."""
        return torch.stack(torch.broadcast_tensors(*_minus(energies, self.logits)))


class DensityMixture(Density):
    """E(y) = -log Σ_k w_k p_k(y) of densities p_k, log Z = 0: w_k is the mass of part k.

    Args:
        densities: of y of one length.
        weights: w (k), positive, normalized to sum to 1; None: equal, or by the logits.
        logits: (k), a Parameter to learn them.

    Raises:
        ConfigurationError: a part is no `Density`, a weight is not positive, or both are given.
        ShapeError: the parts differ in dim, or the weights are not one for each.

    Example:
        >>> from ebmlab.energies import Gaussian, Uniform
        >>> box = Uniform(-torch.full((2,), 4.0), torch.full((2,), 4.0))
        >>> noise = DensityMixture(Gaussian(torch.zeros(2), torch.eye(2)), box)
        >>> noise.sample(5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 2])
    """

    logits: Tensor | None

    def __init__(
        self, *densities: Density, weights: Tensor | None = None, logits: Tensor | None = None
    ) -> None:
        super().__init__()
        mend = "Mixture(…) takes any energy"
        found = [require_a(Density, "a part of DensityMixture", part, mend) for part in densities]
        if not found:
            raise ConfigurationError("DensityMixture has no parts; expected at least one")
        dims = [part.dim for part in found]
        if len(set(dims)) > 1:
            raise ShapeError(f"the densities have dim {dims}; they must be of one y")
        self.parts, self.dim = nn.ModuleList(found), dims[0]
        hold(self, "logits", _logits(weights, logits, len(found)))

    @property
    def densities(self) -> list[Density]:
        """The parts, in their order."""
        return [part for part in self.parts if isinstance(part, Density)]

    def potential(self, y: Tensor) -> Tensor:
        """-log Σ_k w_k p_k(y)."""
        return -self._logs([part.potential(y) for part in self.densities]).logsumexp(0)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the log, and Σ_k r_k ∂E_k/∂y, r the responsibilities."""
        energies, slopes = zip(*(part.slope(y) for part in self.densities), strict=True)
        return _blended(self._logs(energies), slopes)

    def _logs(self, energies: Sequence[Tensor]) -> Tensor:
        leveled = [e + part.log_z for e, part in zip(energies, self.densities, strict=True)]
        return torch.stack(_minus(leveled, self.logits))

    @property
    def log_z(self) -> Tensor:
        """0: the parts are normalized, and the weights sum to 1."""
        return torch.zeros_like(self.densities[0].log_z)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Which part, by the weights, and a draw from it."""
        count = len(self.densities)
        shares = (
            torch.ones(count) if self.logits is None else precise(self.logits.detach()).softmax(0)
        )
        shares = shares.to(rng.device)
        which = torch.multinomial(shares, n, replacement=True, generator=rng)
        drawn = [part.sample(n, rng) for part in self.densities]
        return torch.stack(drawn)[which, torch.arange(n, device=rng.device)]


def _logits(weights: Tensor | None, logits: Tensor | None, count: int) -> Tensor | None:
    """The logits of weights, of which one is given at most; None where all are equal."""
    if weights is not None and logits is not None:
        raise ConfigurationError("weights and logits are both given; they say the same: pass one")
    given = logits if weights is None else weights
    if given is not None and given.shape != (count,):
        raise ShapeError(f"the weights have shape {tuple(given.shape)} for {count} parts")
    if weights is None:
        return logits
    if not bool((weights > 0).all()):
        raise ConfigurationError("weights must be positive")
    return weights.log()


def _minus(energies: Sequence[Tensor], logits: Tensor | None) -> list[Tensor]:
    """log w_k - E_k."""
    if logits is None:
        return [-math.log(len(energies)) - energy for energy in energies]
    log_weights = precise(logits).log_softmax(0)
    return [own - energy for own, energy in zip(log_weights, energies, strict=True)]


def _blended(logs: Tensor, slopes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """-log Σ exp(logs) and the slopes (*batch, *event) weighed by each part's share of it.

    A part that is +∞ at y has no share, whatever its slope; where all are, the slope is 0.
    """
    energy = -logs.logsumexp(0)
    out = logs == -torch.inf
    shares = torch.where(out, 0.0, (logs + energy).exp())
    weighed = [
        torch.where(_over(gone, slope), 0.0, _over(share, slope).to(slope) * slope)
        for gone, share, slope in zip(out, shares, slopes, strict=True)
    ]
    return energy, sum(weighed[1:], weighed[0])


def _over(t: Tensor, event: Tensor) -> Tensor:
    """A number for each datum beside what has an event."""
    return t.reshape(t.shape + (1,) * (event.ndim - t.ndim))
