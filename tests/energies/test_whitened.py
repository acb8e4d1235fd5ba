import pytest
import torch
from problems import randn
from regularizers_support import same_value_and_slopes, views
from torch import Tensor
from torch.nn import functional

from ebmlab import Plane, landscape
from ebmlab.energies import JointEmbedding, SquaredDistance, Whitened
from ebmlab.errors import ConfigurationError, ShapeError


def authors_whitening(h: Tensor) -> Tensor:
    h = h - h.mean(0)
    factor = torch.linalg.cholesky(h.T @ h / (len(h) - 1))
    return h @ torch.linalg.inv(factor).T


def test_it_is_w_mse_in_value_and_gradient():
    x, y = views(12, 5)
    loss = 2 + 2 * Whitened(eps=0.0)(x, y).mean()
    wx, wy = (functional.normalize(authors_whitening(h), dim=1) for h in (x, y))
    same_value_and_slopes(loss, (wx - wy).square().sum(1).mean(), x, y)


def test_groups_of_consecutive_rows_are_whitened_each_and_the_last_takes_the_rest():
    x, y = views(14, 3)
    ours = Whitened(SquaredDistance(), rows=6, eps=0.0)(x, y)
    theirs = [
        (authors_whitening(a) - authors_whitening(b)).square().sum(1)
        for a, b in zip(x.split(7), y.split(7), strict=True)
    ]
    same_value_and_slopes(ours.sum(), torch.cat(theirs).sum(), x, y)
    few = Whitened(SquaredDistance(), rows=100, eps=0.0)(x, y)
    torch.testing.assert_close(few, Whitened(SquaredDistance(), eps=0.0)(x, y))


def test_whitened_codes_have_covariance_one_whatever_linear_map_they_went_through():
    h, mixing = randn(40, 4), randn(4, 4, seed=1)
    for codes in (h, h @ mixing + 3):
        white = Whitened(eps=0.0).whiten(codes)
        torch.testing.assert_close(white.T.cov(), torch.eye(4).double())
        assert white.mean(0).abs().max() < 1e-12


def test_leading_dimensions_are_populations_of_their_own():
    h = randn(3, 12, 4)
    together = Whitened()(h[:2], h[2:])
    apart = torch.stack([Whitened()(view, h[2]) for view in h[:2]])
    torch.testing.assert_close(together, apart)


def test_gradients_equal_finite_differences():
    x, y = views(7, 3)
    assert torch.autograd.gradcheck(Whitened(eps=0.1), (x, y))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_fault_16_constant_and_collapsed_codes_have_finite_energies_and_gradients(dtype):
    h = randn(16, 4)
    h[:, 2] = 5.0
    for raw in (h, 1e3 * h, torch.ones(16, 4)):
        codes = raw.to(dtype).requires_grad_()
        value = Whitened()(codes, codes)
        (grad,) = torch.autograd.grad(value.sum(), codes)
        assert value.isfinite().all()
        assert grad.isfinite().all()
    # Control: without ε there is no factor, and NaN says so.
    assert Whitened(eps=0.0)(torch.ones(16, 4), torch.ones(16, 4)).isnan().all()


def test_fault_17_populations_that_cannot_be_whitened_are_refused():
    for shape, energy in (((1, 3), Whitened()), ((3, 3), Whitened(eps=0.0))):
        with pytest.raises(ShapeError, match="cannot be whitened"):
            energy(torch.zeros(shape), torch.zeros(shape))
    with pytest.raises(ShapeError, match="a population"):
        Whitened()(torch.zeros(3), torch.zeros(3))
    for bad in ({"rows": 1}, {"eps": -1.0}, {"eps": 2.0}):
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            Whitened(**bad)


def test_autocast_does_not_lower_the_precision():
    h = randn(64, 4).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = Whitened().whiten(h)
    assert torch.equal(inside, Whitened().whiten(h))


def test_it_couples_the_batch_says_so_and_landscapes_refuse_it():
    energy = JointEmbedding(torch.nn.Identity(), head=Whitened())
    assert energy.couples
    x = randn(8, 2)
    changed = x.clone()
    changed[7] += 1
    assert (energy(changed, x)[:7] - energy(x, x)[:7]).abs().max() > 1e-3
    with pytest.raises(ConfigurationError, match="couples"):
        landscape(energy.given(x[:1]), Plane.xy(), resolution=4)
