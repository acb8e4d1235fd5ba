"""VICReg against the formula of its authors' code, written with loops."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab.energies import JointEmbedding, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.objectives import Regularized
from ebmlab.regularizers import VICReg


def _views(b: int = 12, d: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    # Columns of several scales: some standard deviations lie below 1, some above.
    scale = torch.linspace(0.2, 2.0, d, dtype=torch.float64)
    x = scale * torch.randn(b, d, generator=rng, dtype=torch.float64)
    y = x + 0.3 * torch.randn(b, d, generator=rng, dtype=torch.float64)
    return x.requires_grad_(), y.requires_grad_()


def _variance_and_covariance(h: Tensor) -> tuple[Tensor, Tensor]:
    b, d = h.shape
    means = [sum(h[n, j] for n in range(b)) / b for j in range(d)]

    def covariance(i: int, j: int) -> Tensor:
        return sum((h[n, i] - means[i]) * (h[n, j] - means[j]) for n in range(b)) / (b - 1)

    hinges = [functional.relu(1 - (covariance(j, j) + 1e-4).sqrt()) for j in range(d)]
    off = [covariance(i, j) ** 2 for i in range(d) for j in range(d) if i != j]
    return torch.stack(hinges).mean(), torch.stack(off).sum() / d


def _authors_loss(x: Tensor, y: Tensor) -> Tensor:
    (std_x, cov_x), (std_y, cov_y) = _variance_and_covariance(x), _variance_and_covariance(y)
    return 25 * functional.mse_loss(x, y) + 25 * 0.5 * (std_x + std_y) + cov_x + cov_y


# With b < d the covariance is squared through the b × b Gram matrix.
@pytest.mark.parametrize(("b", "d"), [(12, 5), (2, 3), (4, 9)])
def test_regularized_squared_distance_is_the_authors_loss_in_value_and_gradient(b, d):
    x, y = _views(b, d)
    ours = Regularized(VICReg(25, 1), energy_weight=25 / d)(SquaredDistance(), x, y).value
    theirs = _authors_loss(x, y)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    for a, b_ in zip(
        torch.autograd.grad(ours, [x, y]), torch.autograd.grad(theirs, [x, y]), strict=True
    ):
        torch.testing.assert_close(a, b_, rtol=1e-10, atol=1e-12)


def test_two_views_as_tuples_give_the_same_loss_since_it_is_symmetric():
    x, y = _views()
    energy = JointEmbedding(nn.Identity(), head=SquaredDistance())
    loss = Regularized(VICReg(25, 1), energy_weight=5.0)(energy, (x, y), (x, y))
    torch.testing.assert_close(loss.value, _authors_loss(x, y), rtol=1e-12, atol=1e-12)


def test_each_weight_scales_its_own_term():
    x, y = _views()
    std, cov = (sum(pair) for pair in zip(*map(_variance_and_covariance, (x, y)), strict=True))
    torch.testing.assert_close(VICReg(std=2.0, cov=0.0)(x, y), std)
    torch.testing.assert_close(VICReg(std=0.0, cov=3.0)(x, y), 3 * cov)


def test_gradients_equal_finite_differences():
    assert torch.autograd.gradcheck(VICReg(25, 1), _views(b=5, d=3))


def test_the_order_of_the_batch_and_of_the_dimensions_does_not_matter():
    x, y = _views()
    rng = torch.Generator().manual_seed(3)
    rows, columns = torch.randperm(12, generator=rng), torch.randperm(5, generator=rng)
    value = VICReg()(x, y)
    torch.testing.assert_close(VICReg()(x[rows], y), value)
    torch.testing.assert_close(VICReg()(x[:, columns], y[:, columns]), value)
    mixed = torch.stack([column[torch.randperm(12, generator=rng)] for column in x.mT], dim=1)
    assert (VICReg()(mixed, y) - value).abs() > 1e-3


def test_wide_uncorrelated_codes_cost_nothing_and_a_shift_changes_nothing():
    h = 2.0 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert VICReg()(h, h) == 0
    assert VICReg()(h + 100, h) == 0
    assert VICReg()(0.1 * h, h) > 1


def test_at_total_collapse_the_value_is_high_and_the_gradient_vanishes_but_is_finite():
    h = torch.ones(6, 4, requires_grad=True)
    value = VICReg()(h, h)
    torch.testing.assert_close(value, torch.tensor(25 * (1 - 0.01)))
    (grad,) = torch.autograd.grad(value, h)
    assert torch.equal(grad, torch.zeros(6, 4))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_codes_are_computed_in_float32(dtype):
    rng = torch.Generator().manual_seed(0)
    h = (3 + 0.5 * torch.randn(256, 8, generator=rng)).to(dtype)
    value = VICReg()(h, h)
    assert value.dtype == torch.float32
    assert torch.equal(value, VICReg()(h.float(), h.float()))


def test_autocast_does_not_lower_the_precision_of_the_covariance():
    rng = torch.Generator().manual_seed(0)
    h = torch.randn(256, 8, generator=rng)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = VICReg()(h, h)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, VICReg()(h, h))


@pytest.mark.parametrize("shape", [(1, 4), (0, 4), (4,), (2, 3, 4)])
def test_codes_without_a_variance_raise(shape):
    with pytest.raises(ShapeError, match="a variance needs") as caught:
        VICReg()(torch.zeros(shape), torch.zeros(shape))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("name", ["std", "cov", "gamma", "eps"])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_weights_out_of_range_raise_by_name(name, bad):
    with pytest.raises(ConfigurationError, match=name):
        VICReg(**{name: bad})
