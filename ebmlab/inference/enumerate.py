"""Exact inference over finitely many z."""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ebmlab._checks import require_shares
from ebmlab._held import hold
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._ranks import averaged
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import Bound, Inference, Posterior
from ebmlab.inference._atoms import data_batch, in_front, spread
from ebmlab.types import Rng, Tree

__all__ = ["Enumerate"]


class Enumerate(Precise, Inference):
    """Try every z: q(z_k) ∝ w_k exp(-E(x, y, z_k) / T), or the lowest z_k at T = 0.

    The free energy is exact: -T log Σ_k w_k exp(-E_k / T). At T = 0 only the lowest atom carries a
    gradient; ties go to the first.

    Args:
        atoms: the values of z, (k, *event); a Parameter makes them a learned codebook.
        weights: prior weights w (k), not negative; normalized to sum to 1. None: 1/k each.
        decay: None keeps the weights. A number in [0, 1] learns them: each commit at T > 0 sets
            them to the mean posterior over the batch of all ranks (EM's M-step), pooled with
            those of earlier commits, whose counts are multiplied by decay: 0 for full batches.
            The start counts as one datum. At T = 0 the energy does not see them, and they stay.

    Example:
        >>> from torch import nn
        >>> from ebmlab.energies import Reconstruction
        >>> energy = Reconstruction(nn.Identity(), takes_x=False)
        >>> infer = Enumerate(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
        >>> infer(energy, None, torch.ones(3, 2)).atoms.shape
        torch.Size([1, 3, 2])
    """

    bound: Bound = "exact"
    floors: ClassVar = {"log_weights": SINGLE, "count": SINGLE}
    atoms: Tensor
    log_weights: Tensor | None
    count: Tensor

    def __init__(
        self, atoms: Tensor, weights: Tensor | None = None, *, decay: float | None = None
    ) -> None:
        super().__init__()
        if atoms.ndim < 1 or len(atoms) == 0:
            raise ShapeError(f"atoms have shape {tuple(atoms.shape)}; expected (k >= 1, *event)")
        hold(self, "atoms", atoms)
        self.decay = decay
        if decay is not None:
            require_shares(decay=decay)
            self.register_buffer("count", torch.ones((), device=atoms.device))
            weights = torch.ones(len(atoms), device=atoms.device) if weights is None else weights
        self.register_buffer("log_weights", None if weights is None else self._logs(weights))

    def _logs(self, weights: Tensor) -> Tensor:
        if weights.shape != self.atoms.shape[:1]:
            raise ShapeError(
                f"weights has shape {tuple(weights.shape)} for {len(self.atoms)} atoms; one each"
            )
        if not bool((weights >= 0).all() & (weights.sum() > 0)):
            raise ConfigurationError("weights must be >= 0 and not all zero")
        weights = precise(weights)
        return (weights / weights.sum()).log()

    def _prior(self, energies: Tensor) -> Tensor | float:
        """log w, which goes with energies (*batch, k)."""
        if self.log_weights is None:
            return -math.log(len(self.atoms))
        return self.log_weights.to(energies.dtype)

    def capacity(self) -> float:
        """Log K for K atoms."""
        return math.log(len(self.atoms))

    def possible(self) -> Tensor:
        """The atoms of prior weight above 0; of equal ones the first is first."""
        if self.log_weights is None:
            return self.atoms
        order = self.log_weights.argsort(descending=True, stable=True)
        return self.atoms[order[: int(self.log_weights.isfinite().sum())]]

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        """The atoms and their posterior weights; at T = 0 the best atom."""
        if temperature == 0:
            best, lowest = self._lowest(energy, x, y, rng)
            zero, atoms = torch.zeros_like(lowest), self.atoms[best][None]
            return Posterior(atoms, torch.ones_like(zero)[None], zero, zero, lowest[None])
        energies = self._each(energy, x, y, rng)
        prior = self._prior(energies)
        log_q = (prior - energies / temperature).log_softmax(-1)
        weights = log_q.exp()
        information = (weights * (log_q - prior).masked_fill(weights == 0, 0.0)).sum(-1)
        batch, residual = information.shape, torch.zeros_like(information)
        weights, energies = (t.movedim(-1, 0) for t in (weights, energies))
        atoms = spread(in_front(self.atoms, batch), batch)
        return Posterior(atoms, weights, information, residual, energies)

    def reduce(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Tensor:
        """-T log Σ_k w_k exp(-E_k / T), or the lowest E_k, without the posterior."""
        if temperature == 0:
            return self._lowest(energy, x, y, rng)[1]
        energies = self._each(energy, x, y, rng)
        logs, prior = energies / -temperature, self._prior(energies)
        if isinstance(prior, float):
            return -temperature * (logs.logsumexp(-1) + prior)
        return -temperature * (logs + prior).logsumexp(-1)

    def encode(self, energy: Energy, y: Tree) -> Tensor:
        """The z of lowest energy; of clusters, numbered, -E(y, z) for every z: (*batch, k)."""
        if self.atoms.is_floating_point():
            return super().encode(energy, y)
        return -self._each(energy, None, y, None)

    def _each(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Tensor:
        """The energies of all atoms, (*batch, k)."""
        energy.check(x, y, in_front(self.atoms, data_batch(energy, x, y)))
        return energy.at_each(x, y, self.atoms, rng=rng)

    def _lowest(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> tuple[Tensor, Tensor]:
        """Which atom is the lowest, and its energy with the graph, (*batch) both."""
        energy.check(x, y, in_front(self.atoms, data_batch(energy, x, y)))
        found = None if self.log_weights is not None else energy.lowest(x, y, self.atoms)
        if found is not None:
            return found
        with torch.no_grad():
            energies = energy.at_each(x, y, self.atoms, rng=rng)
            if self.log_weights is not None:
                energies = energies.masked_fill(self.log_weights.isneginf(), torch.inf)
            lowest, best = energies.min(-1)
        if torch.is_grad_enabled():
            lowest = energy(x, y, self.atoms[best][None], rng=rng)[0]
        return best, lowest

    @property
    def still(self) -> bool:
        """Whether the weights stay."""
        return self.decay is None

    @torch.no_grad()
    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        """Move learned weights to the mean posterior."""
        if self.log_weights is None or self.decay is None:
            return
        known = q()
        if len(known.weights) != len(self.atoms):
            return
        each = known.weights.expand(len(self.atoms), *known.information.shape).flatten(1)
        kept, (mean, found) = self.decay * self.count, averaged(each.T)
        rate = (found / (kept + found)).to(mean.dtype)
        share = self.log_weights.to(mean.dtype).exp().lerp(mean, rate)
        self.log_weights.copy_((share / share.sum()).log())
        self.count.copy_(kept + found)
