"""Sums, scales, temperatures, and clamping by `given`."""

import math

import pytest
import torch
from problems import COVARIANCE_2, Net, f64, randn
from torch import Tensor, nn

from ebmlab import FunctionEnergy
from ebmlab._slopes import slope
from ebmlab.algebra import Sum
from ebmlab.energies import MLP, Constant, Gaussian, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError


def _pair() -> FunctionEnergy:
    return FunctionEnergy(lambda x, y: ((x - y) ** 4).sum(-1), ("x", "y"))


def _triple() -> FunctionEnergy:
    return FunctionEnergy(
        lambda x, y, z: (x[:, 0] * y[:, 0] + z[:, 0] * y[:, 1]) ** 2, ("x", "y", "z")
    )


def test_sums_scales_and_temperatures():
    x, y = randn(5, 2, seed=1), randn(5, 2, seed=2)
    one, two = _pair(), SquaredDistance()
    a, b = ((x - y) ** 4).sum(-1), ((x - y) ** 2).sum(-1)
    torch.testing.assert_close((one + two)(x, y), a + b)
    torch.testing.assert_close((one + two + 0.5 * one)(x, y), 1.5 * a + b)
    torch.testing.assert_close((one * -2)(x, y), -2 * a)
    torch.testing.assert_close((one / 0.25)(x, y), 4 * a)
    torch.testing.assert_close((-one)(x, y), -a)
    torch.testing.assert_close((one - two)(x, y), a - b)
    torch.testing.assert_close((two - (one - two))(x, y), 2 * b - a)
    torch.testing.assert_close(((one + 3 * two) / 2)(x, y), (a + 3 * b) / 2)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="temperature"):
            one / wrong
    with pytest.raises(ShapeError, match="y_ndim"):
        one + SquaredDistance(3)


def test_a_temperature_and_a_scale_are_learned():
    x, y = randn(5, 2, seed=1), randn(5, 2, seed=2)
    energy = ((x - y) ** 4).sum()
    temperature, scale = nn.Parameter(f64(0.5)), nn.Parameter(f64(3.0))
    tempered, scaled = _pair() / temperature, scale * _pair()
    tempered(x, y).sum().backward()
    scaled(x, y).sum().backward()
    torch.testing.assert_close(temperature.grad, -energy / 0.5**2)
    torch.testing.assert_close(scale.grad, energy)
    assert list(tempered.parameters()) == [temperature]
    assert list(scaled.parameters()) == [scale]


def test_a_product_of_gaussian_experts_is_gaussian():
    # N(0, 1) · N(2, 1/3) ∝ N(3/2, 1/4)
    product = Gaussian(f64([0.0]), f64([[1.0]])) + Gaussian(f64([2.0]), f64([[1 / 3]]))
    expected = Gaussian(f64([1.5]), f64([[0.25]]))
    y = randn(7, 1)
    gap = product(None, y) - expected(None, y)
    torch.testing.assert_close(gap, gap[:1].expand(7))


def test_a_quotient_of_gaussians_and_guidance_are_gaussian():
    # N(1, 1/3) / N(0, 1) ∝ N(3/2, 1/2): precisions 3 - 1, and 3 · 1 - 0 over what is left.
    wide, narrow = Gaussian(f64([0.0]), f64([[1.0]])), Gaussian(f64([1.0]), f64([[1 / 3]]))
    y = randn(7, 1)
    for quotient, mean, precision in (
        (narrow - wide, 1.5, 2.0),
        (wide + 2.0 * (narrow - wide), 6 / 5, 5.0),  # guidance of strength 2
    ):
        gap = quotient(None, y) - Gaussian(f64([mean]), f64([[1 / precision]]))(None, y)
        torch.testing.assert_close(gap, gap[:1].expand(7))


def test_terms_of_a_sum_are_energies():
    with pytest.raises(ConfigurationError, match="a term of Sum is of type Linear"):
        _pair() + nn.Linear(2, 1)  # pyright: ignore[reportOperatorIssue]
    with pytest.raises(ConfigurationError, match="Sum has no terms"):
        Sum()


def test_a_constant_has_no_slope():
    constant, y = Constant(2.0).double(), randn(4, 2)
    value, slope = (constant + 0.0 * Gaussian(f64([0.0, 0.0]), COVARIANCE_2)).value_and_grad(
        None, y
    )
    assert torch.equal(value, f64([2.0] * 4))
    assert torch.equal(slope, torch.zeros_like(y))
    assert torch.equal(constant.given().value_and_grad(y)[1], torch.zeros_like(y))
    with pytest.raises(DtypeError, match="int64"):
        constant.given().value_and_grad(y.long())


def test_a_density_ignores_x_in_a_product():
    x, y = randn(4, 3, seed=1), randn(5, 2, seed=2)
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    conditional = FunctionEnergy(lambda x, y: x[:, 0] * y[:, 1], ("x", "y"))
    matrix = (density + conditional)(x[:, None], y[None])
    torch.testing.assert_close(matrix, density(None, y) + x[:, :1] * y[:, 1])
    # Alone, a density lends itself x's batch.
    torch.testing.assert_close(density(x[:, None], y[None]), density(None, y).expand(4, 5))


def test_a_sum_hands_z_to_those_who_take_it():
    decoder = Net(1, 2)
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(3, 5, 1, seed=3)
    total = SquaredDistance() + Reconstruction(decoder, takes_x=False)
    assert total.takes_x
    assert total.takes_z
    expected = ((x - y) ** 2).sum(-1) + ((decoder(z) - y) ** 2).sum(-1)
    torch.testing.assert_close(total(x, y, z), expected)


@pytest.mark.parametrize("lead", [(), (1,), (4,), (4, 1, 3)])
def test_a_function_sees_one_batch_dimension_and_any_are_restored(lead):
    def rowwise(x: Tensor, y: Tensor) -> Tensor:
        assert x.ndim == y.ndim == 2
        return (x * y**2).sum(1)

    x, y = randn(*lead, 2, seed=1), randn(*lead[1:], 2, seed=2)
    value = FunctionEnergy(rowwise, ("x", "y"))(x, y)
    torch.testing.assert_close(value, (x * y**2).sum(-1))


def test_given_leaves_y_or_z_free():
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    value = _triple()(x, y, z)
    torch.testing.assert_close(_triple().given(x, z=z)(y), value)
    torch.testing.assert_close(_triple().given(x, y=y)(z), value)
    pair = _pair()
    torch.testing.assert_close(pair.given(x)(y), pair(x, y))
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    torch.testing.assert_close(density.given()(y), density(None, y))
    torch.testing.assert_close(density.given(x)(y), density(None, y))
    slope = pair.given(x).value_and_grad(y)[1]
    torch.testing.assert_close(slope, 4 * (y - x) ** 3)


def test_given_clamps_what_has_no_batch_or_a_batch_of_one():
    x, y, z = randn(2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    rows = x.expand(5, 2)
    pair, triple = _pair(), _triple()
    torch.testing.assert_close(pair.given(x)(y), pair(rows, y))
    torch.testing.assert_close(pair.given(x[None])(y), pair(rows, y))
    torch.testing.assert_close(triple.given(x, y=y[0])(z), triple(rows, y[:1].expand(5, 2), z))
    torch.testing.assert_close(triple.given(x, z=z[:1])(y), triple(rows, y, z[:1].expand(5, 1)))


def test_given_refuses_what_does_not_fit():
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    with pytest.raises(ShapeError, match=r"batches differ.*x \(5,\).*y \(4,\)"):
        _pair().given(x)(y[:4])
    with pytest.raises(ShapeError, match=r"one energy per row"):
        _pair().given(x)(y[:1])
    with pytest.raises(ConfigurationError, match="needs z"):
        _triple().given(x)(y)
    with pytest.raises(ConfigurationError, match="has no z"):
        _pair().given(x, z=z)(y)
    with pytest.raises(ConfigurationError, match="leave y"):
        _triple().given(x, y=y, z=z)
    with pytest.raises(ConfigurationError, match="leave y"):
        _pair().given(x, y=y)
    with pytest.raises(ShapeError, match="z has shape"):
        _triple().given(x, z=z[0])(y)
    with pytest.raises(DtypeError, match="float32"):
        _pair().given(x.float())(y)


def test_a_decoder_of_x_and_z_is_called_with_none_where_there_is_no_x():
    class Ellipse(nn.Module):
        def forward(self, x, z):
            assert x is None
            return torch.cat([2 * z.cos(), 1.5 * z.sin()], dim=-1)

    z = torch.tensor([[0.0], [math.pi / 2]], dtype=torch.float64)
    y = torch.tensor([[2.0, 0.0], [0.0, 1.5]], dtype=torch.float64)
    torch.testing.assert_close(Reconstruction(Ellipse())(None, y, z), torch.zeros(2).double())


def test_a_plain_tensor_of_an_energy_is_saved_and_moved_with_it():
    tempered = SquaredDistance() / torch.tensor(2.0)
    scaled = torch.tensor(3.0) * tempered
    assert set(scaled.state_dict()) == {"factor", "energy.temperature"}
    assert scaled.double().factor.dtype == torch.float64
    assert not list(scaled.parameters())


def test_a_sum_takes_the_slopes_that_its_terms_write_by_hand():
    energy = MLP(2, hidden=(8,)).double() + 0.5 * Gaussian(randn(2), torch.eye(2).double())
    y = randn(5, 2, seed=2)
    due, expected = slope(lambda free: energy(None, free), y)
    for whole in (energy, energy + Constant(2.0).double()):
        value, grad = whole.value_and_grad(None, y)
        torch.testing.assert_close(grad, expected)
        torch.testing.assert_close(value - value[0], (due - due[0]).detach())
        assert not value.requires_grad
