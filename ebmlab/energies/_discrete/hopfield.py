"""Hopfield networks, binary and continuous: energies whose minima are memories."""

import math
from typing import Self

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._events import require_vectors
from ebmlab._held import hold
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Tree

__all__ = ["Hopfield", "ModernHopfield"]


class Hopfield(Energy):
    """E(y) = -½ sᵀ W s - bᵀ s with spins s = 2y - 1, y in {0, 1} of length n.

    Only the symmetric part of W off its diagonal counts, so that E is linear in each y_i between
    its two values and gradients are exact differences.

    Args:
        weights: W (n, n), a tensor or Parameter.
        bias: b (n), or None for 0.

    Example:
        >>> memory = Hopfield.storing(torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]]))
        >>> memory.retrieve(torch.tensor([[1.0, 1.0, 1.0, 0.0]]), sweeps=2)
        tensor([[1., 0., 1., 0.]])

    Source: Hopfield 1982.
    """

    takes_x = False
    multilinear = True
    weights: Tensor
    bias: Tensor | None

    def __init__(self, weights: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
            raise ShapeError(f"weights have shape {tuple(weights.shape)}; they must be (n, n)")
        if bias is not None and bias.shape != weights.shape[:1]:
            raise ShapeError(f"bias has shape {tuple(bias.shape)}; it must be ({len(weights)},)")
        hold(self, "weights", weights)
        hold(self, "bias", bias)

    @classmethod
    def storing(cls, patterns: Tensor) -> Self:
        """The network that remembers patterns ξ (k, n) in {0, 1}: W = Σ (2ξ-1)(2ξ-1)ᵀ / n.

        Random patterns are kept up to k ≈ 0.138 n of them.

        Source: Hebb 1949; Amit, Gutfreund, Sompolinsky 1985.
        """
        _require_patterns(patterns)
        if not bool(((patterns == 0) | (patterns == 1)).all()):
            raise ConfigurationError("patterns must hold 0 and 1 only; spins are (s + 1) / 2")
        spins = 2 * patterns - 1
        return cls(spins.mT @ spins / patterns.shape[1])

    @property
    def bonds(self) -> Tensor:
        """What of W counts, (n, n): symmetric, with an empty diagonal."""
        w = (self.weights + self.weights.mT) / 2
        return w - w.diagonal().diag()

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        spins = 2 * require_vectors("y", y, len(self.weights), "Hopfield") - 1
        energy = -0.5 * ((spins @ self.bonds) * spins).sum(-1)
        return energy if self.bias is None else energy - spins @ self.bias

    def retrieve(self, y: Tensor, sweeps: int = 10) -> Tensor:
        """The memory near y (*batch, n): each site in turn goes where E is lower.

        No update raises E; a site whose two values are level stays.

        Args:
            y: in {0, 1}, corrupted.
            sweeps: how many times all sites are visited.
        """
        bonds = self.bonds.detach()
        bias = bonds.new_zeros(len(bonds)) if self.bias is None else self.bias.detach()
        spins = 2 * require_vectors("y", y, len(bonds), "Hopfield").detach() - 1
        for _ in range(sweeps):
            for i, row in enumerate(bonds):
                local = spins @ row + bias[i]
                spins[..., i] = torch.where(local == 0, spins[..., i], local.sign())
        return (spins + 1) / 2


class ModernHopfield(Energy):
    """E(y) = -β⁻¹ log Σ_i exp(β x_iᵀ y) + ½ ‖y‖² + β⁻¹ log k + ½ max ‖x_i‖² >= 0, y real.

    exp(-βE) is a mixture of Gaussians of variance 1/β at the patterns x_i, with weights that grow
    with their length.

    Args:
        patterns: x (k, n), a tensor or Parameter.
        beta: β > 0; large ones keep patterns apart, small ones blend them.

    Example:
        >>> memory = ModernHopfield(torch.eye(3), beta=8.0)
        >>> memory.retrieve(torch.tensor([[0.7, 0.3, 0.0]])).round(decimals=1)
        tensor([[1., 0., 0.]])

    Source: Ramsauer et al. 2020, arXiv:2008.02217.
    """

    takes_x = False
    patterns: Tensor

    def __init__(self, patterns: Tensor, beta: float = 1.0) -> None:
        super().__init__()
        _require_patterns(patterns)
        require_positive("beta", beta)
        self.beta = beta
        hold(self, "patterns", patterns)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        patterns = self.patterns
        y = require_vectors("y", y, patterns.shape[1], "ModernHopfield")
        nearness = (self.beta * (y @ patterns.mT)).logsumexp(-1) - math.log(len(patterns))
        longest = patterns.square().sum(-1).max()
        return 0.5 * (y.square().sum(-1) + longest) - nearness / self.beta

    def retrieve(self, y: Tensor, steps: int = 1) -> Tensor:
        """The memory near y (*batch, n): y ← Xᵀ softmax(β X y), which is y - ∇E, `steps` times.

        No step raises E; one is enough where the patterns are far apart.
        """
        y = require_vectors("y", y, self.patterns.shape[1], "ModernHopfield")
        for _ in range(steps):
            y = (self.beta * (y @ self.patterns.mT)).softmax(-1) @ self.patterns
        return y


def _require_patterns(patterns: Tensor) -> None:
    if patterns.ndim != 2 or 0 in patterns.shape:
        raise ShapeError(f"patterns have shape {tuple(patterns.shape)}; they must be (k, n)")
