"""Linear regression with unknown noise: of the data it needs one triangle, however many rows."""

import math

import torch
from torch import Tensor

from ebmlab._checks import require_positive, require_same_kind
from ebmlab.data.posteriors.unconstrained import (
    Unconstrained,
    half_cauchy,
    half_cauchy_slope,
    with_log,
    without_log,
)
from ebmlab.errors import ShapeError

__all__ = ["LinearRegression", "lagged"]


class LinearRegression(Unconstrained):
    """Responses N(X β, σ) with β ~ N(m, diag s²): y = (β_1, …, β_k, log σ).

    E(y) = ‖response - X β‖² / 2σ² + n log σ + ½ Σ ((β_i - m_i) / s_i)² + log(1 + σ²/c²) - log σ;
    the last term is the log-Jacobian of σ, whose prior is half-Cauchy(0, c), or flat for c = ∞.

    With X = Q R and the least-squares coefficients b the sum of squares is
    ‖R (β - b)‖² + ‖response - X b‖²: it costs the same for any number of rows, and no large
    numbers cancel, as they do in β' X'X β, however far X is from centered.

    Args:
        design: X (n, k), of full rank, n >= k.
        response: (n).
        prior_mean, prior_std: m and s (k), s positive.
        scale: c > 0 of the prior of σ; infinity makes it flat.
        names: of the coefficients and of σ.

    Raises:
        ShapeError: the shapes do not fit together.
        ConfigurationError: scale is not positive.

    Example:
        >>> design, response = lagged(torch.tensor([0.0, 1.0, 2.0, 4.0, 7.0]), lags=1)
        >>> prior_mean, prior_std = torch.zeros(2), 10 * torch.ones(2)
        >>> energy = LinearRegression(design, response, prior_mean, prior_std)
        >>> energy(None, torch.tensor([[1.0, 1.5, 0.0]]))
        tensor([0.1413])

    Source: Golub 1965 (least squares by orthogonal triangles).
    """

    triangle: Tensor
    best: Tensor
    rest: Tensor
    prior_mean: Tensor
    prior_precision: Tensor

    def __init__(
        self,
        design: Tensor,
        response: Tensor,
        prior_mean: Tensor,
        prior_std: Tensor,
        scale: float = math.inf,
        names: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__()
        _require_shapes(design, response, prior_mean, prior_std)
        if not math.isinf(scale):
            require_positive("scale", scale)
        n, k = design.shape
        self.names = names or (*(f"beta[{i + 1}]" for i in range(k)), "sigma")
        if len(self.names) != k + 1:
            raise ShapeError(f"names holds {len(self.names)}, but expected {k} coefficients and σ")
        self.scale, self.volume = scale, float(n - 1)
        orthogonal, triangle = torch.linalg.qr(design)
        best = torch.linalg.solve_triangular(
            triangle, orthogonal.mT @ response[:, None], upper=True
        )
        self.register_buffer("triangle", triangle)
        self.register_buffer("best", best[:, 0])
        self.register_buffer("rest", (response - design @ best[:, 0]).square().sum())
        self.register_buffer("prior_mean", prior_mean.clone())
        self.register_buffer("prior_precision", prior_std.square().reciprocal())

    def _split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y[..., :-1], y[..., -1]

    def potential(self, y: Tensor) -> Tensor:
        """The residuals, the priors and the log-Jacobian."""
        coefficients, log_std = self._split(y)
        off = (coefficients - self.best) @ self.triangle.mT
        misfit = 0.5 * (off.square().sum(-1) + self.rest) * (-2 * log_std).exp()
        shift = coefficients - self.prior_mean
        prior = 0.5 * (shift.square() * self.prior_precision).sum(-1)
        return misfit + prior + self.volume * log_std + half_cauchy(log_std, self.scale)

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The energy, and its derivatives by hand."""
        coefficients, log_std = self._split(y)
        off = (coefficients - self.best) @ self.triangle.mT
        precision = (-2 * log_std).exp()
        misfit = 0.5 * (off.square().sum(-1) + self.rest) * precision
        shift = coefficients - self.prior_mean
        pull = shift * self.prior_precision
        prior = 0.5 * (shift * pull).sum(-1)
        energy = misfit + prior + self.volume * log_std + half_cauchy(log_std, self.scale)
        of_log_std = self.volume - 2 * misfit + half_cauchy_slope(log_std, self.scale)
        of_coefficients = precision[..., None] * (off @ self.triangle) + pull
        return energy, torch.cat([of_coefficients, of_log_std[..., None]], dim=-1)

    def constrain(self, y: Tensor) -> Tensor:
        """(β, σ) of (β, log σ)."""
        return without_log(y, self.dim - 1)

    def unconstrain(self, parameters: Tensor) -> Tensor:
        """(β, log σ) of (β, σ)."""
        return with_log(parameters, self.dim - 1)


def lagged(series: Tensor, lags: int) -> tuple[Tensor, Tensor]:
    """The design of an autoregression with an intercept, and its response.

    Args:
        series: s (n).
        lags: k, how many earlier values predict the next.

    Returns:
        The design (n - k, 1 + k) of rows (1, s_{t-1}, …, s_{t-k}), and s_t (n - k) for t > k.

    Example:
        >>> lagged(torch.tensor([1.0, 2.0, 3.0, 4.0]), lags=2)[0]
        tensor([[1., 2., 1.],
                [1., 3., 2.]])
    """
    windows = series.unfold(0, lags + 1, 1).flip(-1)
    design = torch.cat([torch.ones_like(windows[:, :1]), windows[:, 1:]], dim=-1)
    return design, windows[:, 0]


def _require_shapes(design: Tensor, response: Tensor, mean: Tensor, std: Tensor) -> None:
    named = {"design": design, "response": response, "prior_mean": mean, "prior_std": std}
    fit = design.ndim == 2 and response.shape == design.shape[:1] and len(design) >= len(design.mT)
    if not (fit and mean.shape == std.shape == design.shape[1:]):
        listed = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in named.items())
        raise ShapeError(f"{listed}; expected (n, k), (n,), (k,) and (k,), with n >= k")
    require_same_kind({**named})
