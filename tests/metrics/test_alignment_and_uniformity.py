import math

import numpy as np
import pytest
import torch
from metrics_support import randn
from scipy.special import ive

from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.metrics import alignment, alpha_req, dimension_std, spread, uniformity


def circle(n):
    angle = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_alignment_of_codes_turned_by_an_angle_is_the_chord(power):
    turn = 0.7
    x = circle(12)
    y = (
        5
        * x
        @ torch.tensor(
            [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
        ).double()
    )
    chord = 2 * math.sin(turn / 2)
    assert alignment(3 * x, y, power) == pytest.approx(chord**power)
    assert alignment(x, x) == 0
    assert alignment(x, y.flip(0)) > 1.5


def test_uniformity_of_the_circle_is_a_bessel_function_and_of_one_point_zero():
    n = 500
    # ive(0, z) = e^(-z) I0(z); the pairs of a code with itself, of weight 1, are taken out.
    mean = (n * ive(0, 4.0) - 1) / (n - 1)
    assert uniformity(circle(n)) == pytest.approx(math.log(mean), rel=1e-12)
    assert uniformity(7 * circle(1).expand(30, 2)) == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.eye(5), t=3.0) == pytest.approx(-6.0)


def test_uniformity_in_blocks_is_that_of_all_pairs(monkeypatch):
    codes = randn(40, 3)
    unit = codes / codes.norm(dim=1, keepdim=True)
    squares = torch.pdist(unit).square()
    expected = math.log((-2 * squares).exp().mean())
    assert uniformity(codes) == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(spread, "_BLOCK", 7 * 40)
    assert uniformity(codes) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.5])
def test_alpha_is_the_exponent_of_a_power_law(alpha):
    d = 20
    left, _ = torch.linalg.qr(randn(60, d) - randn(60, d).mean(0))
    right, _ = torch.linalg.qr(randn(d, d, seed=1))
    decay = torch.arange(1.0, d + 1).double() ** (-alpha / 2)
    codes = left @ torch.diag(decay) @ right.T + 3
    assert alpha_req(codes) == pytest.approx(alpha, rel=1e-6)
    assert alpha_req(codes, first=3, last=11) == pytest.approx(alpha, rel=1e-6)


def test_alpha_is_a_weighed_least_squares_slope_and_ignores_empty_directions():
    codes = randn(50, 8) * torch.linspace(1, 4, 8)
    values = np.linalg.svd((codes - codes.mean(0)).numpy(), compute_uv=False) ** 2
    rank = np.arange(1, 9)
    slope = np.polyfit(np.log(rank), np.log(values), 1, w=rank**-0.5)[0]
    assert alpha_req(codes) == pytest.approx(-slope)
    wide = torch.cat([codes, codes, torch.ones(50, 3)], dim=1)
    assert alpha_req(wide) == pytest.approx(-slope)
    one = randn(50, 1) * torch.ones(1, 4)
    with pytest.raises(ConfigurationError, match="have 1 eigenvalues"):
        alpha_req(one)
    with pytest.raises(ConfigurationError, match="first is 9"):
        alpha_req(codes, first=9)


def test_deviations_are_told_by_dimension():
    codes = randn(300, 3) * torch.tensor([1.0, 0.0, 4.0])
    found = dimension_std(codes)
    np.testing.assert_allclose(found, codes.numpy().std(0, ddof=1))
    assert found[1] == 0


def test_populations_that_are_none_are_refused():
    for metric in (uniformity, alpha_req, dimension_std):
        with pytest.raises(ShapeError, match=r"\(1, 4\)"):
            metric(torch.ones(1, 4))
        with pytest.raises(DtypeError, match="int64"):
            metric(torch.ones(4, 4, dtype=torch.int64))
        with pytest.raises(NonFiniteError, match="NaN"):
            metric(torch.full((4, 4), torch.nan))
    with pytest.raises(ShapeError, match="one pair"):
        alignment(torch.ones(4, 3), torch.ones(5, 3))
    with pytest.raises(ConfigurationError, match="power"):
        alignment(torch.ones(4, 3), torch.ones(4, 3), 0.0)
    with pytest.raises(ConfigurationError, match="t is"):
        uniformity(torch.ones(4, 3), -1.0)
