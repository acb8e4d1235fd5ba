"""The restricted Boltzmann machine: hidden units summed out, jointly with them, conditionals."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab._events import require_vectors
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Conditionals, Potential, Rng, Tree

__all__ = ["RBM", "JointRBM", "RBMConditionals"]


class RBM(Energy):
    """F(v) = -log Σ_h exp(-E(v, h)) = -bᵀv - Σ_j log(1 + exp(c_j + (vW)_j)), v and h in {0, 1}.

    E(v, h) = -bᵀv - cᵀh - vᵀWh is `joint()`; y is v. The sum *counts* hidden states: a free energy
    under the uniform prior over h is higher by hidden · log 2.

    Args:
        visible: length of v.
        hidden: length of h.
        std: of the normal weights at the start, > 0; biases start at 0.
        rng: a CPU generator that draws the weights; one seeded with 0 if left out.

    Attributes:
        weights: W (visible, hidden).
        visible_bias: b (visible).
        hidden_bias: c (hidden).

    Example:
        >>> RBM(3, 2, std=1e-9)(None, torch.ones(1, 3)).detach()
        tensor([-1.3863])

    Source: Smolensky 1986; Hinton 2002.
    """

    shows = ("visible_bias", "hidden_bias")
    takes_x = False

    def __init__(self, visible: int, hidden: int, std: float = 0.01, rng: Rng = None) -> None:
        super().__init__()
        require_counts(visible=visible, hidden=hidden)
        require_positive("std", std)
        rng = torch.Generator().manual_seed(0) if rng is None else rng
        rng = require_generator(rng, "RBM", torch.device("cpu"))
        self.weights = nn.Parameter(std * torch.randn(visible, hidden, generator=rng))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        v = require_vectors("y", y, len(self.visible_bias), "RBM")
        return -(v @ self.visible_bias) - _softplus(self.hidden_logits(v)).sum(-1)

    def hidden_energy(self, h: Tensor) -> Tensor:
        """-log Σ_v exp(-E(v, h)) = -cᵀh - Σ_i log(1 + exp(b_i + (Wh)_i)), shape (*batch).

        Z is the sum of exp(-hidden_energy) over the 2^hidden states of h.
        """
        h = require_vectors("h", h, len(self.hidden_bias), "RBM")
        return -(h @ self.hidden_bias) - _softplus(self.visible_logits(h)).sum(-1)

    def hidden_logits(self, v: Tensor) -> Tensor:
        """c + vW: the log odds of each hidden unit given v (*batch, visible)."""
        return v @ self.weights + self.hidden_bias

    def visible_logits(self, h: Tensor) -> Tensor:
        """b + Wh: the log odds of each visible unit given h (*batch, hidden)."""
        return h @ self.weights.mT + self.visible_bias

    def site_energies(self, x: Tree, y: Tensor) -> Tensor:
        """-b_i - Σ_j log of (1 + exp(a_j + W_ij)) / (1 + exp(a_j)), a = c + vW without v_i."""
        others = self.hidden_logits(y)[:, None] - y[..., None] * self.weights
        gains = _softplus(others + self.weights) - _softplus(others)
        return -self.visible_bias - gains.sum(-1)

    def joint(self) -> "JointRBM":
        """E(v, h) with z = h, of the same parameters."""
        return JointRBM(self)

    def conditionals(self) -> "RBMConditionals":
        """h given v, then v given h: `Gibbs(rbm.conditionals())` samples `rbm.given()`."""
        return RBMConditionals(self)

    def at(self, temperature: float) -> "RBM":
        """The RBM of exp(-E(v, h) / T): a copy with all parameters divided by T.

        `rbm / T` is another energy: its hidden units are summed out before the division.
        """
        require_positive("temperature", temperature)
        visible, hidden = self.weights.shape
        other = RBM(visible, hidden).to(self.weights)
        with torch.no_grad():
            for ours, theirs in zip(self.parameters(), other.parameters(), strict=True):
                theirs.copy_(ours / temperature)
        return other


class JointRBM(Energy):
    """E(v, h) = -bᵀv - cᵀh - vᵀWh with y = v and z = h: an RBM with its hidden units.

    Args:
        rbm: whose parameters it shares.

    Example:
        >>> joint = RBM(3, 2).joint()
        >>> joint(None, torch.zeros(4, 3), torch.zeros(4, 2)).detach()
        tensor([-0., -0., -0., -0.])
    """

    takes_x = False
    takes_z = True

    def __init__(self, rbm: RBM) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        rbm = self.rbm
        v = require_vectors("y", y, len(rbm.visible_bias), "JointRBM")
        h = require_vectors("z", z, len(rbm.hidden_bias), "JointRBM")
        return -(v @ rbm.visible_bias) - (rbm.hidden_logits(v) * h).sum(-1)


@dataclass(frozen=True, eq=False)
class RBMConditionals(Conditionals):
    """h given v, then v given h: blocks for `Gibbs` over `rbm.given()`, with h auxiliary.

    Args:
        rbm: the machine; for exp(-E(v, h) / T) take `rbm.at(T)`, here and in the potential.

    Example:
        >>> from ebmlab.samplers import Gibbs, run
        >>> rbm, start, rng = RBM(6, 4), torch.zeros(9, 6), torch.Generator().manual_seed(0)
        >>> chain = run(Gibbs(rbm.conditionals()), rbm.given(), start, steps=5, rng=rng)
        >>> chain.state.y.unique()
        tensor([0., 1.])
    """

    rbm: RBM

    def check(self, u: Potential, y: Tensor) -> None:
        """Raise unless y is binary and u, up to a constant, the RBM's free energy."""
        if not bool(((y == 0) | (y == 1)).all()):
            raise ConfigurationError("y must hold 0 and 1 only, the visible units of an RBM")
        probes = torch.cat([y, 1 - y])
        with torch.no_grad():
            own = self.rbm(None, probes)
            apart = torch.cat([u(y), u(1 - y)]) - own
        slack = torch.finfo(self.rbm.weights.dtype).eps ** 0.5 * (1 + own.abs().max())
        if bool(((apart - apart[0]).abs() > slack).any()):
            raise ConfigurationError(
                "the potential is not this RBM's: sample rbm.given() by rbm.conditionals(); at "
                "temperature T take rbm.at(T) for both, since rbm / T is another energy"
            )

    def draw(self, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Uniform numbers, one for each hidden and one for each visible unit."""
        h, v = (
            torch.rand(len(y), size, generator=rng, dtype=y.dtype, device=y.device)
            for size in (len(self.rbm.hidden_bias), len(self.rbm.visible_bias))
        )
        return h, v

    def sweep(self, u: Potential, y: Tensor, noise: Any) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            h = (noise[0] < self.rbm.hidden_logits(y).sigmoid()).to(y)
            v = (noise[1] < self.rbm.visible_logits(h).sigmoid()).to(y)
            return v, u(v)


def _softplus(logits: Tensor) -> Tensor:
    # The default gives way to the identity at 20, an error of 2e-9 that float64 would show.
    return functional.softplus(logits, threshold=40)
