"""Gaussian process regression: the length, the height and the noise of a smooth function."""

import torch
from torch import Tensor

from ebmlab._checks import require_same_kind
from ebmlab.data.posteriors.unconstrained import Unconstrained, with_log, without_log
from ebmlab.errors import ShapeError

__all__ = ["GaussianProcess"]

_LENGTH_SHAPE, _LENGTH_RATE = 25.0, 4.0
_HEIGHT_STD = 2.0
_NOISE_STD = 1.0


class GaussianProcess(Unconstrained):
    """Responses N(0, K), K_ij = α² exp(-(x_i - x_j)² / 2ρ²) + σ δ_ij: y = (log ρ, log α, log σ).

    E(y) = ½ rᵀ K⁻¹ r + ½ log det K + (4ρ - 24 log ρ) + α²/8 + σ²/2 - log ρ - log α - log σ. The
    priors are ρ ~ Gamma(25, 4), α ~ half-N(0, 2), σ ~ half-N(0, 1); the last three terms are the
    log-Jacobian. σ is the noise's variance. Where rounding makes K indefinite, E is NaN: samplers
    reject such points and count them.

    Args:
        x: the inputs (n), distinct.
        response: r (n).

    Raises:
        ShapeError: x and response are not two vectors of one length.

    Example:
        >>> energy = GaussianProcess(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 2.0]))
        >>> energy(None, torch.zeros(1, 3))  # K = 2 I: 5/4 + log 2 + 4 + 1/8 + 1/2
        tensor([6.5681])

    Source: Rasmussen, Williams 2006, chapter 5.
    """

    names = ("rho", "alpha", "sigma")
    squared: Tensor
    response: Tensor
    eye: Tensor
    linear: Tensor

    def __init__(self, x: Tensor, response: Tensor) -> None:
        super().__init__()
        if x.ndim != 1 or x.shape != response.shape:
            raise ShapeError(
                f"x has shape {tuple(x.shape)}, response {tuple(response.shape)}; both must be "
                "(n,)"
            )
        require_same_kind({"x": x, "response": response})
        self.register_buffer("squared", (x[:, None] - x).square())
        self.register_buffer("response", response.clone())
        self.register_buffer("eye", torch.eye(len(x)).to(x))
        self.register_buffer("linear", torch.tensor([-_LENGTH_SHAPE, -1.0, -1.0]).to(x))

    def _prior(self, y: Tensor, length: Tensor, height: Tensor, noise: Tensor) -> Tensor:
        """The priors and the log-Jacobian; what is linear in y is one product."""
        squares = height.square() * (0.5 / _HEIGHT_STD**2) + noise.square() * (0.5 / _NOISE_STD**2)
        return y @ self.linear + _LENGTH_RATE * length + squares

    def _covariance(self, length: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
        """((x_i - x_j)/ρ)² and α² exp(-½ of it), both (*batch, n, n)."""
        ratio = self.squared * _matrix(length.square().reciprocal())
        return ratio, _matrix(height.square()) * (-0.5 * ratio).exp()

    def potential(self, y: Tensor) -> Tensor:
        """Half the squared residual and the log determinant by Cholesky, and the priors."""
        length, height, noise = y.exp().unbind(-1)
        _, smooth = self._covariance(length, height)
        factor, failed = torch.linalg.cholesky_ex(smooth + _matrix(noise) * self.eye)
        residual = torch.linalg.solve_triangular(factor, self.response[:, None], upper=False)
        energy = 0.5 * residual.square().sum((-2, -1)) + _diagonal(factor).log().sum(-1)
        return _sound(failed, energy + self._prior(y, length, height, noise))

    def slope(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The energy, and its derivatives ½ tr(G ∂K) by G = K⁻¹ - a aᵀ, a = K⁻¹ r."""
        length, height, noise = y.exp().unbind(-1)
        ratio, smooth = self._covariance(length, height)
        factor, failed = torch.linalg.cholesky_ex(smooth + _matrix(noise) * self.eye)
        inverse = torch.cholesky_solve(self.eye, factor)
        solved = inverse @ self.response
        energy = 0.5 * solved @ self.response + _diagonal(factor).log().sum(-1)
        inner = (inverse - solved[..., None] * solved[..., None, :]) * smooth
        of_noise = _diagonal(inverse).sum(-1) - solved.square().sum(-1)
        grad = [
            0.5 * (inner * ratio).sum((-2, -1)) + _LENGTH_RATE * length,
            inner.sum((-2, -1)) + height.square() / _HEIGHT_STD**2,
            0.5 * noise * of_noise + noise.square() / _NOISE_STD**2,
        ]
        energy = _sound(failed, energy + self._prior(y, length, height, noise))
        return energy, torch.stack(grad, dim=-1) + self.linear

    def constrain(self, y: Tensor) -> Tensor:
        """(ρ, α, σ) of their logarithms."""
        return without_log(y, 0)

    def unconstrain(self, parameters: Tensor) -> Tensor:
        """The logarithms of (ρ, α, σ)."""
        return with_log(parameters, 0)


def _matrix(value: Tensor) -> Tensor:
    return value[..., None, None]


def _diagonal(matrix: Tensor) -> Tensor:
    return matrix.flatten(-2)[..., :: matrix.shape[-1] + 1]


def _sound(failed: Tensor, energy: Tensor) -> Tensor:
    """NaN where the factorization stopped: what it left behind is no factor of K."""
    return torch.where(failed == 0, energy, torch.nan)
