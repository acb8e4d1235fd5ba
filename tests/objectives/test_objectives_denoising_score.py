import math

import pytest
import torch
from problems import generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP
from ebmlab.errors import ConfigurationError, GradientError
from ebmlab.objectives import DenoisingScore


class Precision(Energy):
    """E(y) = a ‖y‖² / 2 with a parameter a."""

    takes_x = False

    def __init__(self, precision: float) -> None:
        super().__init__()
        self.precision = nn.Parameter(torch.tensor(precision, dtype=torch.float64))

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        return 0.5 * self.precision * y.square().sum(-1)


def _batch_means(
    energy: Energy, sigma: float | tuple[float, float], d: int
) -> tuple[Tensor, Tensor]:
    rng, data = generator(1), randn(40, 5000, d)
    values = torch.stack([DenoisingScore(sigma)(energy, None, y, rng).value for y in data])
    return values.mean().detach(), values.detach().std() / 40**0.5


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize(("s", "sigma"), [(1.0, 0.5), (0.7, 0.5), (1.5, 1.0)])
def test_the_loss_of_a_gaussian_energy_has_its_closed_form(s, sigma, d):
    # y ~ N(0, 1): σ∇E - ξ = σy/s² + (σ²/s² - 1)ξ, so the loss is d/2 [σ²/s⁴ + (σ²/s² - 1)²].
    # Student's t with 39 degrees of freedom: false-alarm rate 1e-5 at 5.1 standard errors.
    mean, error = _batch_means(Precision(1 / s**2), sigma, d)
    expected = 0.5 * d * (sigma**2 / s**4 + (sigma**2 / s**2 - 1) ** 2)
    assert (mean - expected).abs() < 5.1 * error
    # Controls: a blur of another width, and an energy with its sign turned round.
    other = 0.5 * d * (1.2 * sigma**2 / s**4 + (1.2 * sigma**2 / s**2 - 1) ** 2)
    turned = 0.5 * d * (sigma**2 / s**4 + (sigma**2 / s**2 + 1) ** 2)
    assert not (mean - other).abs() < 5.1 * error
    assert not (mean - turned).abs() < 5.1 * error


def test_over_a_range_it_is_the_mean_over_its_levels():
    # As above, with the moments of σ, log σ uniform: (hᵏ - lᵏ) / (k log h/l).
    low, high, s = 0.2, 1.4, 0.7
    two, four = ((high**k - low**k) / (k * math.log(high / low)) for k in (2, 4))
    mean, error = _batch_means(Precision(1 / s**2), (low, high), 2)
    assert (mean - (two / s**4 + four / s**4 - 2 * two / s**2 + 1)).abs() < 5.1 * error
    middle = (0.5 * (low + high)) ** 2  # control: all data at the middle of the range
    assert not (mean - (middle / s**4 + (middle / s**2 - 1) ** 2)).abs() < 5.1 * error


@pytest.mark.parametrize("sigma", [0.3, 0.8])
def test_the_minimizer_is_the_score_of_the_blurred_data(sigma):
    # The loss is quadratic in the precision a: Newton's step from anywhere is the minimizer,
    # whose limit is 1/(1 + σ²). Its error over 200,000 draws is below 0.01 at σ >= 0.3.
    energy = Precision(1.0)
    y = randn(200_000, 1)
    value = DenoisingScore(sigma)(energy, None, y, generator(1)).value
    (slope,) = torch.autograd.grad(value, energy.precision, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, energy.precision)
    best = (energy.precision - slope / curvature).item()
    assert best == pytest.approx(1 / (1 + sigma**2), abs=0.02)
    assert abs(best - 1.0) > 0.05


def test_a_flat_energy_costs_half_the_dimension():
    flat = FunctionEnergy(lambda y: 0.0 * y.sum(-1))
    value = DenoisingScore(0.3)(flat, None, randn(50_000, 4), generator()).value
    # ½‖ξ‖² has mean 2 and standard deviation √2: 4.42 standard errors, false alarm 1e-5.
    assert (value - 2.0).abs() < 4.42 * math.sqrt(2 / 50_000)


def test_gradients_reach_all_parameters_and_equal_finite_differences():
    energy = MLP(2, x_dim=1, hidden=(6,)).double()
    x, y = randn(5, 1), randn(5, 2, seed=1)

    def value() -> Tensor:
        return DenoisingScore(0.4)(energy, x, y, generator(2)).value

    value().backward()
    for name, parameter in energy.named_parameters():
        if name == "network.2.bias":  # a constant has no slope
            assert parameter.grad is None or (parameter.grad == 0).all()
            continue
        assert parameter.grad.abs().max() > 0, name
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            kept = flat[i].item()
            flat[i] = kept + 1e-5
            above = value().item()
            flat[i] = kept - 1e-5
            below = value().item()
            flat[i] = kept
            assert grad[i].item() == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-8)


def test_score_matching_works_under_no_grad_for_evaluation():
    energy, y = Precision(1.0), randn(10, 1)
    with torch.no_grad():
        value = DenoisingScore(0.5)(energy, None, y, generator()).value
    torch.testing.assert_close(value, DenoisingScore(0.5)(energy, None, y, generator()).value)


@pytest.mark.parametrize("sigma", [0.0, -0.1, math.nan, math.inf, (0.0, 1.0), (0.2, 0.1)])
def test_a_noise_level_that_is_not_positive_raises(sigma):
    with pytest.raises(ConfigurationError, match="sigma"):
        DenoisingScore(sigma)


@pytest.mark.parametrize(
    "function",
    [
        lambda y: y.detach().sum(-1),
        lambda y: torch.zeros(len(y), requires_grad=True),
        lambda y: y.round().argmax(-1).float(),
    ],
)
def test_an_energy_without_a_slope_in_y_has_no_score(function):
    with pytest.raises(GradientError, match=r"\(4, 2\) carries no gradient"):
        DenoisingScore(0.1)(FunctionEnergy(function), None, torch.zeros(4, 2), generator())


def test_scalar_events_have_a_score_too():
    y = torch.randn(50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scalar = FunctionEnergy(lambda y: 0.5 * y.square(), y_ndim=0)
    vector = FunctionEnergy(lambda y: 0.5 * y.square().sum(-1))
    found, due = (
        DenoisingScore(0.3)(energy, None, points, torch.Generator().manual_seed(0)).value
        for energy, points in ((scalar, y), (vector, y[:, None]))
    )
    torch.testing.assert_close(found, due)
