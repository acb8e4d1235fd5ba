"""Eight schools: a hierarchy with few data, whose width may be almost 0."""

import torch
from torch import Tensor

from ebmlab._checks import require_same_kind
from ebmlab.data.posteriors.unconstrained import Unconstrained, half_cauchy, half_cauchy_slope
from ebmlab.errors import ShapeError

__all__ = ["EightSchools"]

_MEAN_STD = 5.0
_WIDTH_SCALE = 5.0


class EightSchools(Unconstrained):
    """Effects θ_j = μ + τ t_j, t_j ~ N(0, 1), seen as N(θ_j, σ_j): y = (t_1, …, t_J, μ, log τ).

    E(y) = ½ Σ t_j² + ½ Σ ((y_j - θ_j) / σ_j)² + μ²/50 + log(1 + τ²/25) - log τ; the last term is
    the log-Jacobian of τ, whose prior is half-Cauchy(0, 5). The constrained parameters are
    (θ_1, …, θ_J, μ, τ).

    Args:
        effects: the observed effects (J).
        errors: their standard errors σ (J), positive.

    Raises:
        ShapeError: effects and errors are not two vectors of one length.

    Example:
        >>> energy = EightSchools(torch.tensor([28.0, 8.0]), torch.tensor([15.0, 10.0]))
        >>> energy.constrain(torch.tensor([[1.0, -1.0, 3.0, 0.0]]))
        tensor([[4., 2., 3., 1.]])

    Source: Rubin 1981; Papaspiliopoulos, Roberts, Sköld 2007 (the non-centered form).
    """

    precisions: Tensor
    standardized: Tensor

    def __init__(self, effects: Tensor, errors: Tensor) -> None:
        super().__init__()
        if effects.ndim != 1 or effects.shape != errors.shape:
            raise ShapeError(
                f"effects has shape {tuple(effects.shape)}, errors {tuple(errors.shape)}; both "
                "must be (schools,)"
            )
        require_same_kind({"effects": effects, "errors": errors})
        self.schools = len(effects)
        self.names = (*(f"theta[{j + 1}]" for j in range(self.schools)), "mu", "tau")
        self.register_buffer("precisions", 1 / errors)
        self.register_buffer("standardized", effects / errors)

    def _parts(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """T (*batch, J), and μ and log τ (*batch, 1)."""
        j = self.schools
        return y[..., :j], y[..., j : j + 1], y[..., j + 1 :]

    def potential(self, y: Tensor) -> Tensor:
        """Squares of the t and of the residuals, the priors, and the log-Jacobian."""
        return self._energy(y)[0]

    def _energy(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The energy, the width and the residuals."""
        t, mean, log_width = self._parts(y)
        width = log_width.exp()
        residual = (mean + width * t) * self.precisions - self.standardized
        squares = 0.5 * (t.square() + residual.square()).sum(-1)
        squared = mean.square() * (0.5 / _MEAN_STD**2)
        prior = squared + half_cauchy(log_width, _WIDTH_SCALE) - log_width
        return squares + prior.squeeze(-1), width, residual

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The energy, and its derivatives by hand."""
        t, mean, log_width = self._parts(y)
        energy, width, residual = self._energy(y)
        pull = residual * self.precisions
        stretch = width * pull
        grad = [
            t + stretch,
            pull.sum(-1, keepdim=True) + mean / _MEAN_STD**2,
            (stretch * t).sum(-1, keepdim=True) + half_cauchy_slope(log_width, _WIDTH_SCALE) - 1,
        ]
        return energy, torch.cat(grad, dim=-1)

    def constrain(self, y: Tensor) -> Tensor:
        """(θ, μ, τ) of (t, μ, log τ)."""
        t, mean, log_width = self._parts(y)
        width = log_width.exp()
        return torch.cat([mean + width * t, mean, width], dim=-1)

    def unconstrain(self, parameters: Tensor) -> Tensor:
        """(t, μ, log τ) of (θ, μ, τ)."""
        effects, mean, width = self._parts(parameters)
        return torch.cat([(effects - mean) / width, mean, width.log()], dim=-1)
