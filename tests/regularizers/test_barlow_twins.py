import math

import pytest
import torch
from problems import randn
from regularizers_support import is_symmetric, same_value_and_slopes, views
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.regularizers import BarlowTwins
from ebmlab.regularizers.gram import squared_products


def authors_loss(x: Tensor, y: Tensor, off_diagonal: float) -> Tensor:
    b, d = x.shape
    norm = nn.BatchNorm1d(d, affine=False, dtype=x.dtype)
    c = norm(x).T @ norm(y) / b
    on = (c.diagonal() - 1).square().sum()
    off = torch.stack([c[i, j] ** 2 for i in range(d) for j in range(d) if i != j]).sum()
    return on + off_diagonal * off


@pytest.mark.parametrize("off_diagonal", [0.0051, 1.0])
@pytest.mark.parametrize(("b", "d"), [(12, 5), (4, 9), (2, 2)])
def test_it_is_the_authors_loss_in_value_and_gradient(b, d, off_diagonal):
    x, y = views(b, d)
    theirs = authors_loss(x, y, off_diagonal)
    same_value_and_slopes(BarlowTwins(off_diagonal)(x, y), theirs, x, y)


def test_gradients_equal_finite_differences():
    assert torch.autograd.gradcheck(BarlowTwins(0.5), views(5, 3))
    h = views(5, 3)[0]
    assert torch.autograd.gradcheck(lambda h: BarlowTwins(0.5)(h, h), (h,))


@pytest.mark.parametrize(("n", "d"), [(3, 7), (7, 3), (4, 4)])
def test_products_are_the_same_through_either_gram_matrix(n, d):
    a, b = randn(n, d), randn(n, d, seed=1)
    torch.testing.assert_close(squared_products(a, b), (a.T @ b).square().sum())
    torch.testing.assert_close(squared_products(a, a), (a.T @ a).square().sum())


def test_batches_and_views_have_no_order_but_pairs_matter():
    x, y = views()
    assert is_symmetric(BarlowTwins(), x, y)
    assert (BarlowTwins()(x, y) - BarlowTwins()(x, y.flip(0))).abs() > 0.1


def test_scale_and_shift_of_a_dimension_do_not_matter_and_turning_them_does():
    x, y = views()
    scaled = x * torch.linspace(1, 9, 5) + 3
    torch.testing.assert_close(
        BarlowTwins(eps=1e-12)(scaled, y), BarlowTwins(eps=1e-12)(x, y), rtol=1e-8, atol=0
    )
    assert (BarlowTwins()(x.flip(1), y) - BarlowTwins()(x, y)).abs() > 0.1


def test_fault_16_a_constant_dimension_costs_one_and_has_a_finite_gradient():
    h = randn(8, 3)
    h[:, 1] = 4.0
    h.requires_grad_()
    value = BarlowTwins(off_diagonal=0.0)(h, h)
    torch.testing.assert_close(value, torch.ones_like(value), rtol=1e-3, atol=0)
    (grad,) = torch.autograd.grad(value, h)
    assert grad.isfinite().all()
    # Control: without eps the same gradient is not finite.
    white = (h - h.mean(0)) / h.std(0)
    (bare,) = torch.autograd.grad((white.T @ white).sum(), h)
    assert not bare.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 4), (4,), (2, 3, 4)])
def test_fault_17_codes_without_a_variance_raise(shape):
    with pytest.raises(ShapeError, match="a variance needs"):
        BarlowTwins()(torch.zeros(shape), torch.zeros(shape))
    with pytest.raises(ShapeError, match="as many codes"):
        BarlowTwins()(torch.zeros(4, 3), torch.zeros(4, 2))


def test_half_precision_and_autocast_are_computed_in_float32():
    h = (3 + 0.5 * randn(64, 8)).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = BarlowTwins()(h, h.flip(1))
    torch.testing.assert_close(inside, BarlowTwins()(h, h.flip(1)))
    half = h.bfloat16()
    assert torch.equal(BarlowTwins()(half, half), BarlowTwins()(half.float(), half.float()))


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_arguments_out_of_range_raise_by_name(bad):
    for name in ("off_diagonal", "eps"):
        with pytest.raises(ConfigurationError, match=name):
            BarlowTwins(**{name: bad})
