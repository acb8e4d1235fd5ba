"""Restricted Boltzmann machines with binary and with Gaussian visible units."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_positive
from ebmlab._events import require_vectors
from ebmlab._precise import precise
from ebmlab.energies._discrete.bipartite import Bipartite, lit, softplus
from ebmlab.errors import ConfigurationError, NonFiniteError
from ebmlab.types import GibbsState, Rng, Tree

__all__ = ["RBM", "GaussianRBM"]


class RBM(Bipartite):
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

    def __init__(self, visible: int, hidden: int, std: float = 0.01, rng: Rng = None) -> None:
        super().__init__(visible, hidden, std, rng)

    def alone(self, v: Tensor) -> Tensor:
        """-bᵀv."""
        return -(precise(v) @ precise(self.visible_bias))

    def hidden_logits(self, v: Tensor) -> Tensor:
        """c + vW: the log odds of each hidden unit given v (*batch, visible)."""
        return functional.linear(v, self.weights.mT, self.hidden_bias)

    def visible_logits(self, h: Tensor) -> Tensor:
        """b + Wh: the log odds of each visible unit given h (*batch, hidden)."""
        return functional.linear(h, self.weights, self.visible_bias)

    def site_energies(self, x: Tree, y: Tensor) -> Tensor:
        """-b_i - Σ_j log of (1 + exp(a_j + W_ij)) / (1 + exp(a_j)), a = c + vW without v_i."""
        others = self.hidden_logits(y)[:, None] - y[..., None] * self.weights
        gains = softplus(others + self.weights) - softplus(others)
        return -self.visible_bias - gains.sum(-1)

    def hidden_energy(self, h: Tensor) -> Tensor:
        """-log Σ_v exp(-E(v, h)) = -cᵀh - Σ_i log(1 + exp(b_i + (Wh)_i)), shape (*batch).

        Z is the sum of exp(-hidden_energy) over the 2^hidden states of h.
        """
        h = require_vectors("h", h, self.hidden, "RBM")
        return -(h @ self.hidden_bias) - softplus(self.visible_logits(h)).sum(-1)

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

    def linked(self, state: GibbsState) -> Tensor:
        """F(v) with its graph: its value is known, and all that its slope needs."""
        return _Known.apply(*state, self.weights, self.visible_bias, self.hidden_bias)

    def require(self, v: Tensor) -> None:
        """Raise unless v holds 0 and 1 only."""
        self.require_chains(v)
        if not torch.equal(v.square(), v):
            raise ConfigurationError("y must hold 0 and 1 only, the visible units of an RBM")

    def another(self, v: Tensor) -> Tensor:
        """Every unit flipped."""
        return 1 - v

    def noise(self, v: Tensor, rng: torch.Generator) -> Tensor:
        """Uniform numbers."""
        return torch.rand(v.shape, generator=rng, dtype=v.dtype, device=v.device)

    def draw_visible(self, h: Tensor, noise: Tensor) -> Tensor:
        """1 with probability σ(b + Wh)."""
        return lit(self.visible_logits(h.to(self.weights.dtype)), noise)


class _Known(torch.autograd.Function):
    """F(v) of a constant v, a value that is known, with its graph in W, b and c."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, v: Tensor, energy: Tensor, fields: Tensor, w: Tensor, b: Tensor, c: Tensor
    ) -> Tensor:
        ctx.save_for_backward(v, fields)
        ctx.dtype = w.dtype
        return energy.view_as(energy)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (v, fields), (grad,) = ctx.saved_tensors, grads
        lit = fields.sigmoid() * -grad[:, None]
        slopes = v.mT @ lit.to(v), -(grad.to(v) @ v), lit.sum(0)
        return None, None, None, *(slope.to(ctx.dtype) for slope in slopes)


class GaussianRBM(Bipartite):
    """F(v) = Σ_i (v_i - b_i)² / 2σ_i² - Σ_j log(1 + exp(c_j + ((v / σ²) W)_j)), v real.

    Given h, v is normal with mean b + Wh and variance σ²: p(v) is a mixture of 2^hidden Gaussians.
    y is v. The sum counts hidden states, as in `RBM`.

    Args:
        visible, hidden, std, rng: as in `RBM`.
        scale: σ at the start, > 0.
        learned: whether σ is a parameter, one for each visible unit.

    Attributes:
        weights, visible_bias, hidden_bias: W, b, c.
        log_scale: log σ (visible).

    Example:
        >>> GaussianRBM(3, 2, std=1e-9)(None, torch.ones(1, 3)).detach()
        tensor([0.1137])

    Source: Welling, Rosen-Zvi, Hinton 2004; Cho, Ilin, Raiko 2011 (this parametrization).
    """

    log_scale: Tensor

    def __init__(
        self,
        visible: int,
        hidden: int,
        std: float = 0.01,
        rng: Rng = None,
        *,
        scale: float = 1.0,
        learned: bool = False,
    ) -> None:
        super().__init__(visible, hidden, std, rng)
        require_positive("scale", scale)
        log_scale = torch.full((visible,), scale).log()
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    @property
    def variance(self) -> Tensor:
        """σ² (visible)."""
        return (2 * self.log_scale).exp()

    def alone(self, v: Tensor) -> Tensor:
        """Σ (v - b)² / 2σ²."""
        away = precise(v) - precise(self.visible_bias)
        return 0.5 * (away.square() / precise(self.variance)).sum(-1)

    def hidden_logits(self, v: Tensor) -> Tensor:
        """c + (v / σ²) W: the log odds of each hidden unit given v (*batch, visible)."""
        return (v / self.variance) @ self.weights + self.hidden_bias

    def visible_mean(self, h: Tensor) -> Tensor:
        """b + Wh: the mean of v given h (*batch, hidden)."""
        return h @ self.weights.mT + self.visible_bias

    def hidden_energy(self, h: Tensor) -> Tensor:
        """-log ∫ exp(-E(v, h)) dv = -cᵀh - Σ_i (m_i² - b_i²) / 2σ_i² - ½ Σ_i log 2πσ_i².

        m = b + Wh are the means given h; shape (*batch).
        """
        h = require_vectors("h", h, self.hidden, "GaussianRBM")
        mean = self.visible_mean(h)
        gain = (mean.square() - self.visible_bias.square()) / (2 * self.variance)
        volume = 0.5 * (2 * torch.pi * self.variance).log()
        return -(h @ self.hidden_bias) - (gain + volume).sum(-1)

    def require(self, v: Tensor) -> None:
        """Raise unless v is finite."""
        self.require_chains(v)
        if not bool(v.isfinite().all()):
            raise NonFiniteError("y must be finite, the visible units of a Gaussian RBM")

    def another(self, v: Tensor) -> Tensor:
        """Every unit moved by its σ."""
        return v + self.log_scale.exp()

    def noise(self, v: Tensor, rng: torch.Generator) -> Tensor:
        """Normal numbers."""
        return torch.randn(v.shape, generator=rng, dtype=v.dtype, device=v.device)

    def draw_visible(self, h: Tensor, noise: Tensor) -> Tensor:
        """b + Wh + σ ξ."""
        return self.visible_mean(h.to(self.weights.dtype)) + self.log_scale.exp() * noise
