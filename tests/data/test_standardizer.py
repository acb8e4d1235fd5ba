import pytest
import torch
from problems import generator

from ebmlab.data import Standardizer
from ebmlab.errors import DtypeError, NonFiniteError, ShapeError


def test_standardized_data_have_mean_zero_and_deviation_one_and_come_back():
    t = 3 + 2 * torch.randn(500, 2, 3, generator=generator(), dtype=torch.float64)
    scale = Standardizer.fit(t)
    out = scale.apply(t)
    assert out.mean(0).abs().max() < 1e-12
    assert (out.square().mean(0) - 1).abs().max() < 1e-12
    assert (scale.undo(out) - t).abs().max() < 1e-12


def test_constant_columns_are_centered_and_not_blown_up():
    t = torch.stack([torch.full((1000,), 0.1), torch.linspace(0, 1, 1000)], dim=-1)
    out = Standardizer.fit(t).apply(t)
    assert torch.equal(out[:, 0], torch.zeros(1000))
    assert out[:, 1].std() == pytest.approx(1, abs=1e-3)


def test_the_standardizer_works_in_float32_or_better_and_needs_two_rows():
    t = (100 + torch.randn(4000, 1, generator=generator())).bfloat16()
    scale = Standardizer.fit(t)
    assert scale.mean.dtype == torch.float32
    assert scale.mean.item() == pytest.approx(t.double().mean().item(), abs=1e-3)
    with pytest.raises(ShapeError, match="n >= 2"):
        Standardizer.fit(torch.ones(1, 3))
    with pytest.raises(DtypeError, match="int64"):
        Standardizer.fit(torch.ones(4, dtype=torch.int64))
    for wrong in (torch.nan, torch.inf, -torch.inf):
        with pytest.raises(NonFiniteError, match="t "):
            Standardizer.fit(torch.tensor([[1.0], [wrong], [2.0]]))


@pytest.mark.parametrize("scale", [1e-37, 1e-25, 1.0, 1e20, 1e37])
def test_data_of_any_scale_are_standardized(scale):
    t = torch.randn(500, 3, generator=generator(), dtype=torch.float64)
    small = (scale * (t + torch.tensor([0.0, 5.0, -1.0]))).float()
    found = Standardizer.fit(small)
    double = small.double()
    torch.testing.assert_close(found.mean.double(), double.mean(0), rtol=1e-5, atol=1e-6 * scale)
    torch.testing.assert_close(found.std.double(), double.std(0, correction=0), rtol=1e-5, atol=0)
    # Squares in the data's own type overflow or vanish.
    naive = (small - small.mean(0)).square().mean(0)
    assert bool((naive.isfinite() & (naive > 0)).all()) == (scale == 1)


def test_half_precision_data_beyond_its_squares_are_standardized():
    t = torch.tensor([[-600.0], [600.0]], dtype=torch.float16)
    assert Standardizer.fit(t).std.item() == 600
    assert not t.square().isfinite().any()
