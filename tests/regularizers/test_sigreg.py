import copy

import pytest
import torch
from problems import RATE, generator, randn
from regularizers_support import is_symmetric, same_value_and_slopes, views
from scipy import stats
from torch import Tensor

from ebmlab.energies import SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.objectives import Regularized
from ebmlab.regularizers import SIGReg

T = torch.linspace(0, 3, 17, dtype=torch.float64)
PHI = (-T.square() / 2).exp()
WEIGHTS = 2 * (T[1] - T[0]) * PHI
WEIGHTS[0], WEIGHTS[-1] = WEIGHTS[0] / 2, WEIGHTS[-1] / 2
# Σ w (1 - φ²), since Var cos + Var sin = 1 - φ² along any direction of N(0, I).
GAUSSIAN = float((WEIGHTS * (1 - PHI**2)).sum())
COLLAPSED = float((WEIGHTS * (1 - PHI) ** 2).sum())


def plain(h: Tensor, directions: Tensor) -> Tensor:
    each = []
    for a in directions.T:
        angles = (h @ a)[:, None] * T
        error = (angles.cos().mean(0) - PHI) ** 2 + angles.sin().mean(0) ** 2
        each.append(len(h) * (WEIGHTS * error).sum())
    return torch.stack(each).mean()


def test_it_is_the_published_formula_in_value_and_gradient():
    x, y = views(12, 5)
    sigreg = SIGReg(directions=20)
    directions = sigreg.directions_for(x)
    theirs = 0.5 * (plain(x, directions) + plain(y, directions))
    same_value_and_slopes(sigreg(x, y), theirs, x, y)


def test_gradients_equal_finite_differences():
    assert torch.autograd.gradcheck(SIGReg(directions=4), views(5, 3))


def looks_standard_normal(scale: float, n: int = 300) -> bool:
    """A t-test of the mean over n populations, at this false-alarm rate.

    A population of 64 has a standard deviation of about 0.37 here, the mean a standard error of
    about 0.021.
    """
    rng = generator(1)
    sigreg, values = SIGReg(directions=32), []
    for _ in range(n):
        h = scale * torch.randn(64, 6, generator=rng, dtype=torch.float64)
        values.append(float(sigreg(h, h)))
        sigreg.step()
    return bool(stats.ttest_1samp(values, GAUSSIAN).pvalue > RATE)


def test_its_mean_over_standard_normal_populations_is_1_052_and_over_wider_ones_is_not():
    assert pytest.approx(1.052, abs=1e-3) == GAUSSIAN
    assert looks_standard_normal(1.0)
    assert not looks_standard_normal(1.2)


def test_at_collapse_it_is_0_402_b_and_its_gradient_vanishes():
    assert pytest.approx(0.402, abs=1e-3) == COLLAPSED
    h = torch.zeros(50, 7, dtype=torch.float64, requires_grad=True)
    value = SIGReg()(h, h)
    assert float(value.detach()) == pytest.approx(50 * COLLAPSED, rel=1e-12)
    (grad,) = torch.autograd.grad(value, h)
    assert grad.abs().max() < 1e-12
    # Control: beside it, the gradient does not vanish.
    near = (0.05 * randn(50, 7)).requires_grad_()
    (grad,) = torch.autograd.grad(SIGReg()(near, near), near)
    assert grad.abs().max() > 1e-3


def test_descending_it_makes_a_flat_shifted_population_standard_normal():
    h = (0.3 * randn(128, 2) * torch.tensor([1.0, 0.2]) + 1).requires_grad_()
    sigreg, optimizer = SIGReg(directions=16), torch.optim.Adam([h], lr=0.1)
    for _ in range(120):
        optimizer.zero_grad()
        sigreg(h, h).backward()
        optimizer.step()
        sigreg.step()
    with torch.no_grad():
        assert h.mean(0).abs().max() < 0.1
        torch.testing.assert_close(h.T.cov(), torch.eye(2).double(), rtol=0, atol=0.15)


def test_batches_and_views_have_no_order():
    assert is_symmetric(SIGReg(directions=16), *views())


def test_directions_are_unit_and_turn_in_step_only():
    sigreg, h = SIGReg(directions=16), randn(6, 3)
    first = sigreg.directions_for(h)
    torch.testing.assert_close(first.norm(dim=0), torch.ones(16).double())
    assert torch.equal(sigreg.directions_for(h), first)
    loss = Regularized(sigreg)(SquaredDistance(), h, h)
    assert torch.equal(sigreg.directions_for(h), first)
    loss.commit()
    assert int(sigreg.clock) == 1
    assert (sigreg.directions_for(h) - first).abs().max() > 0.1
    assert (SIGReg(directions=16, seed=1).directions_for(h) - first).abs().max() > 0.1


def test_a_saved_clock_restores_the_directions_and_copies_keep_it():
    sigreg, other, h = SIGReg(directions=8), SIGReg(directions=8), randn(6, 3)
    for _ in range(3):
        sigreg.step()
    other.load_state_dict(sigreg.state_dict())
    for twin in (other, copy.deepcopy(sigreg)):
        assert torch.equal(twin.directions_for(h), sigreg.directions_for(h))


def test_the_global_generator_is_not_touched():
    before = torch.get_rng_state()
    SIGReg(directions=4)(randn(6, 3), randn(6, 3))
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_and_autocast_are_computed_in_float32():
    h = randn(64, 8).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = SIGReg(16)(h, h)
    torch.testing.assert_close(inside, SIGReg(16)(h, h))
    assert SIGReg(16)(h.half(), h.half()).dtype == torch.float32


@pytest.mark.parametrize("shape", [(1, 4), (4,), (2, 3, 4)])
def test_fault_17_codes_without_a_population_raise(shape):
    with pytest.raises(ShapeError, match="b >= 2"):
        SIGReg()(torch.zeros(shape), torch.zeros(shape))


def test_arguments_out_of_range_raise_by_name():
    for bad in ({"directions": 0}, {"points": 1}, {"reach": 0.0}):
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            SIGReg(**bad)
