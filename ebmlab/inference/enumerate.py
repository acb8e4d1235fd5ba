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
from ebmlab.inference._atoms import data_batch, in_front, pick, spread
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

    def _prior(self, energies: Tensor) -> Tensor:
        """log w, shaped as energies (k, *batch) broadcast."""
        shape = (-1, *[1] * (energies.ndim - 1))
        if self.log_weights is None:
            return energies.new_full((len(energies),), -math.log(len(energies))).reshape(shape)
        return self.log_weights.to(energies.dtype).reshape(shape)

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
        batch = data_batch(energy, x, y)
        atoms = in_front(self.atoms, batch)
        if temperature == 0:
            best, lowest = self._lowest(energy, x, y, atoms, rng)
            zero, atom = torch.zeros_like(lowest[0]), pick(spread(atoms, batch), best)
            known = None if torch.is_grad_enabled() else lowest
            return Posterior(atom, torch.ones_like(lowest), zero, zero, known)
        energies = energy(x, y, atoms, rng=rng)
        prior = self._prior(energies)
        log_q = (prior - energies / temperature).log_softmax(0)
        weights = log_q.exp()
        nats = (log_q - prior).masked_fill(weights == 0, 0.0)
        information = (weights * nats).sum(0)
        residual = torch.zeros_like(information)
        return Posterior(spread(atoms, batch), weights, information, residual, energies)

    def encode(self, energy: Energy, y: Tree) -> Tensor:
        """The z of lowest energy; of clusters, numbered, -E(y, z) for every z: (*batch, k)."""
        if self.atoms.is_floating_point():
            return super().encode(energy, y)
        atoms = in_front(self.atoms, data_batch(energy, None, y))
        return -energy(None, y, atoms).movedim(0, -1)

    @torch.no_grad()
    def _lowest(
        self, energy: Energy, x: Tree, y: Tree, atoms: Tensor, rng: Rng
    ) -> tuple[Tensor, Tensor]:
        """Which atom is the lowest of those in front of the batch, and its energy: (1, *batch)."""
        energy.check(x, y, atoms)
        found = None if self.log_weights is not None else energy.lowest(x, y, self.atoms)
        if found is not None:
            return found[None], energy(x, y, self.atoms[found[None]], rng=rng)
        energies = energy(x, y, atoms, rng=rng)
        forbidden = self._prior(energies).isneginf()
        best = energies.masked_fill(forbidden, torch.inf).argmin(0, keepdim=True)
        return best, pick(energies, best)

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
