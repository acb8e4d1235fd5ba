"""log Σ exp of products without the matrix, against the matrix."""

import pytest
import torch
from problems import F64, generator, randn

from ebmlab.energies import unit
from ebmlab.errors import GradientError, ShapeError
from ebmlab.kernels import products
from ebmlab.kernels.products import log_sum_exp_others, log_sum_exp_products


@pytest.fixture(autouse=True, params=[5, 64])
def tile(request, monkeypatch):
    """Tiles that do not divide the matrix, and one that holds it all."""
    monkeypatch.setattr(products, "TILE", request.param)


def plain(x, y, scale, left_out=None):
    matrix = scale * x @ y.T
    if left_out is not None and left_out.ndim == 1:
        left_out = left_out[:, None] == torch.arange(len(y))
    return (matrix if left_out is None else matrix.masked_fill(left_out, -torch.inf)).logsumexp(1)


def leaves():
    return (
        randn(12, 4, seed=1).requires_grad_(),
        randn(17, 4, seed=2).requires_grad_(),
        torch.tensor(2.5, dtype=F64, requires_grad=True),
    )


@pytest.mark.parametrize("skip", ["nothing", "columns", "pairs"])
def test_products_equal_the_matrix_in_value_and_gradients(skip):
    left_out = {
        "nothing": None,
        "columns": torch.randint(17, (12,), generator=generator(3)),
        "pairs": torch.rand(12, 17, generator=generator(4)) < 0.3,
    }[skip]
    inputs, cotangent = leaves(), randn(12, seed=5)
    due, got = plain(*inputs, left_out), log_sum_exp_products(*inputs, left_out)
    assert torch.allclose(got, due, rtol=1e-13)
    wanted = torch.autograd.grad((due * cotangent).sum(), inputs)
    for a, b in zip(torch.autograd.grad((got * cotangent).sum(), inputs), wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("scale", [0.5, 14.0, 200.0])
def test_others_equal_the_matrix_without_its_diagonal_at_mild_and_at_steep_scales(scale):
    u = unit(randn(13, 3)).requires_grad_()
    cotangent = randn(13, seed=5)
    due, got = plain(u, u, scale, torch.arange(13)), log_sum_exp_others(u, scale)
    assert torch.allclose(got, due, rtol=1e-13)
    wanted = torch.autograd.grad((due * cotangent).sum(), u)[0]
    assert torch.allclose(torch.autograd.grad((got * cotangent).sum(), u)[0], wanted, rtol=1e-10)


def test_large_products_neither_overflow_nor_vanish():
    x = 100 * unit(torch.randn(6, 3, generator=generator(0)))
    due = plain(x.double(), x.double(), 1.0)
    assert torch.allclose(log_sum_exp_products(x, x).double(), due, rtol=1e-6)
    assert torch.allclose(
        log_sum_exp_products(x, -x).double(), plain(x.double(), -x.double(), 1.0)
    )


def test_a_row_whose_pairs_are_all_left_out_is_minus_infinity_and_has_no_gradient():
    x, y, _ = leaves()
    left_out = torch.zeros(12, 17, dtype=torch.bool)
    left_out[3] = True
    got = log_sum_exp_products(x, y, 1.0, left_out)
    assert got[3] == -torch.inf
    grad = torch.autograd.grad(got.masked_fill(got.isneginf(), 0.0).sum(), x)[0]
    assert torch.equal(grad[3], torch.zeros(4, dtype=F64))
    assert bool(grad.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single_also_under_autocast(dtype):
    u = unit(torch.randn(40, 8, generator=generator(0))).to(dtype).requires_grad_()
    due = plain(u.float(), u.float(), 10.0, torch.arange(40))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for got in (
            log_sum_exp_others(u, 10.0),
            log_sum_exp_products(u, u, 10.0, torch.arange(40)),
        ):
            assert got.dtype == torch.float32
            assert torch.allclose(got, due, atol=1e-5)
            grad = torch.autograd.grad(got.sum(), u)[0]
            assert grad.dtype == dtype
    # Products taken in the half type itself are off by more.
    assert not torch.allclose((10 * u @ u.T).float()[0, 1:].logsumexp(0), due[0], atol=1e-5)


def test_there_are_no_second_derivatives_and_that_is_said():
    x, y, scale = leaves()
    for sums in (log_sum_exp_products(x, y, scale), log_sum_exp_others(unit(x), 2.0)):
        with pytest.raises(GradientError, match="first derivatives only"):
            torch.autograd.grad(sums.sum(), x, create_graph=True)


def test_shapes_that_do_not_fit_are_named():
    x, y, _ = leaves()
    with pytest.raises(ShapeError, match=r"x has shape \(12, 4\), y \(17, 3\)"):
        log_sum_exp_products(x, y[:, :3])
    with pytest.raises(ShapeError, match=r"left_out has shape \(11,\)"):
        log_sum_exp_products(x, y, 1.0, torch.arange(11))
