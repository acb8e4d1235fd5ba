import math

import pytest
import torch
from problems import F64, f64, fits, generator, randn
from scipy import stats
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy, methods
from ebmlab.energies import Cosine, JointEmbedding, Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import Enumerate
from ebmlab.prediction import calibrate, centers, predict

HEIGHT = FunctionEnergy(lambda y: y.squeeze(-1), ("y",))


def coverages(n: int, level: float, repetitions: int, rank: int | None = None) -> Tensor:
    """Coverage given the calibration data: τ itself, for energies uniform on [0, 1]."""
    y = torch.rand(repetitions, n, 1, generator=generator(), dtype=F64)
    if rank is not None:
        return y[..., 0].kthvalue(rank).values
    return torch.stack([calibrate(HEIGHT, None, each, level).threshold for each in y])


def test_coverage_is_distributed_as_promised():
    # 31 · 0.9 = 27.9: the 28th of 30, Beta(28, 3).
    assert fits(coverages(30, 0.9, 1500), stats.beta(28, 3).cdf)


def test_the_quantile_of_the_calibration_data_alone_would_cover_too_little():
    low = coverages(30, 0.9, 1500, rank=27)
    assert not fits(low, stats.beta(28, 3).cdf)
    assert float(low.mean()) < 0.89


@pytest.mark.parametrize(("n", "level", "rank"), [(9, 0.9, 9), (99, 0.55, 55), (10, 0.5, 6)])
def test_the_threshold_is_the_right_one_of_the_sorted_energies(n, level, rank):
    y = torch.randperm(n, generator=generator()).to(F64)[:, None] + 1
    found = calibrate(HEIGHT, None, y, level)
    assert (float(found.threshold), found.size, found.level) == (rank, n, level)


def test_coverage_on_new_data_comes_with_its_standard_error():
    x, noise = randn(4000, 1), randn(4000, 1, seed=1)
    y, energy = x + noise, SquaredDistance()
    found = calibrate(energy, x[:2000], y[:2000], 0.8, chunk=333)
    inside = found.contains(x[2000:], y[2000:])
    assert torch.equal(inside, noise[2000:, 0].square() <= found.threshold)
    share, error = found.coverage(x[2000:], y[2000:], chunk=77)
    assert share == float(inside.double().mean())
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 2000))
    # √τ is a sample quantile of |N(0, 1)|, of standard deviation 0.0255; 4.9 of them, 1e-6.
    assert float(found.threshold.sqrt()) == pytest.approx(stats.norm.ppf(0.9), abs=0.125)


def test_too_few_data_for_a_level_are_refused_and_the_least_number_suffices():
    y = torch.arange(9, dtype=F64)[:, None]
    with pytest.raises(ConfigurationError, match="at least 9 are needed"):
        calibrate(HEIGHT, None, y[:8], 0.9)
    assert float(calibrate(HEIGHT, None, y, 0.9).threshold) == 8


def test_what_is_no_calibration_is_refused():
    y = randn(20, 1)
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        calibrate(HEIGHT, None, y, 1.0)
    with pytest.raises(NonFiniteError, match="datum 3 is NaN"):
        calibrate(HEIGHT, None, torch.where(torch.arange(20)[:, None] == 3, math.nan, y))
    with pytest.raises(ShapeError, match="with one n"):
        calibrate(SquaredDistance(), randn(1, 1), y)
    with pytest.raises(ConfigurationError, match="chunk is 0"):
        calibrate(HEIGHT, None, y, chunk=0)
    coupled = FunctionEnergy(lambda y: y.squeeze(-1) - y.mean(), ("y",))
    coupled.couples = True
    with pytest.raises(ConfigurationError, match="couples"):
        calibrate(coupled, None, y)


def two_answers() -> FreeEnergy:
    """y is x + 1 or x - 1."""

    class Either(nn.Module):
        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            return x + z

    codes = f64([[1.0, 0.0], [-1.0, 0.0]])
    return FreeEnergy(Reconstruction(Either()), Enumerate(codes))


def test_volumes_by_grid_by_chance_and_by_balls_agree():
    free = two_answers()
    x = randn(3, 2)
    found = calibrate(free, x.repeat(10, 1), x.repeat(10, 1) + f64([1.4, 0.0]), 0.9)
    radius = float(found.threshold.sqrt())
    assert radius == pytest.approx(0.4)
    low, high = torch.full((2,), -5.0, dtype=F64), torch.full((2,), 5.0, dtype=F64)
    grid = found.volume(x, low, high)
    chance = found.volume(x, low, high, rng=generator())
    balls = found.log_volume(x, generator(), chunk=2)
    due = 2 * math.pi * radius**2
    torch.testing.assert_close(balls.log_volume.exp(), torch.full((3,), due, dtype=F64))
    # 4.9 standard errors: a rate of 1e-6.
    for estimate in (grid, chance):
        assert estimate.volume.shape == (3,)
        assert bool(((estimate.volume - due).abs() < 4.9 * estimate.standard_error).all())


def test_a_regression_s_set_is_one_ball():
    energy = JointEmbedding(nn.Identity(), nn.Identity(), SquaredDistance(3), x_ndim=3)
    x = randn(20, 1, 2, 2)
    found = calibrate(energy, x, x + 1, 0.5)
    volume = found.log_volume(x, generator())
    torch.testing.assert_close(
        volume.log_volume.exp(), torch.full((20,), math.pi**2 / 2 * 4**2, dtype=F64)
    )
    assert float(volume.standard_error.max()) == 0


def test_the_balls_lie_around_the_predictions_of_possible_codes():
    method = methods.image_prediction((1, 2, 2), (1, 3, 2), codes=4, width=8).double()
    x = randn(5, 1, 2, 2)
    due = predict(method, x, 4).y.flatten(2)
    torch.testing.assert_close(centers(method.energy, x), due)
    some = Enumerate(torch.eye(4, dtype=F64), f64([0.0, 2.0, 0.0, 1.0]))
    torch.testing.assert_close(centers(FreeEnergy(method.energy.energy, some), x), due[[1, 3]])


def test_without_x_there_is_one_set():
    free = FreeEnergy(
        Reconstruction(nn.Identity(), takes_x=False), Enumerate(f64([[0.0, 0.0], [9.0, 0.0]]))
    )
    found = calibrate(free, None, randn(20, 2))
    due = 2 * math.pi * float(found.threshold)
    assert float(found.log_volume(None, generator()).log_volume.exp()) == pytest.approx(due)
    low = torch.full((2,), -20.0, dtype=F64)
    assert found.volume(None, low, -low).volume.shape == (1,)


def test_sets_of_other_shapes_are_no_balls():
    warm = FreeEnergy(Reconstruction(nn.Identity(), takes_x=False), Enumerate(randn(2, 2)), 1.0)
    for energy, x in ((warm, None), (Cosine(), randn(20, 2))):
        with pytest.raises(ConfigurationError, match="union of balls only"):
            calibrate(energy, x, randn(20, 2)).log_volume(x, generator())
