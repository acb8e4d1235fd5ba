import math

import numpy as np
import pytest
import torch
from problems import F64, f64, fits, generator, has_mean, randn
from scipy import stats
from torch import Tensor, nn

from ebmlab import Energy, FreeEnergy
from ebmlab.energies import Reconstruction, SquaredDistance
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.inference import Enumerate
from ebmlab.prediction import Adaptive, RawEnergy, Surprisal, calibrate, calibrate_choices

K = 5
LABELS = torch.arange(K)


class Table(Energy):
    """x holds the energies of all labels y."""

    y_ndim = 0

    def forward(self, x, y, z=None):
        batch = torch.broadcast_shapes(x.shape[:-1], y.shape)
        return x.expand(*batch, K).gather(-1, y.expand(batch)[..., None]).squeeze(-1)


def drawn(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Energies (n, k) that vary in height, and labels from their softmax."""
    rng = generator(seed)
    noise = torch.randn(n, K + 1, generator=rng, dtype=F64)
    energies = 2 * noise[:, 1:] + 3 * noise[:, :1]
    return energies, (-energies).softmax(1).multinomial(1, generator=rng).squeeze(1)


def plain(energies: np.ndarray, name: str, u: np.ndarray, penalty: float, free: int) -> np.ndarray:
    """Row by row and value by value, as the papers write it."""
    out = np.empty_like(energies)
    for i, row in enumerate(energies):
        weights = np.exp(row.min() - row)
        p = weights / weights.sum()
        for k in range(len(row)):
            ahead = [j for j in range(len(row)) if p[j] > p[k] or (p[j] == p[k] and j < k)]
            with np.errstate(divide="ignore"):
                out[i, k] = {
                    "raw": row[k],
                    "surprisal": -np.log(p[k]),
                    "adaptive": sum(p[j] for j in ahead)
                    + u[i] * p[k]
                    + penalty * max(0, len(ahead) + 1 - free),
                }[name]
    return out


CASES = {
    "raw": (RawEnergy(), 0.0, 0),
    "surprisal": (Surprisal(), 0.0, 0),
    "aps": (Adaptive(), 0.0, 0),
    "aps, not randomized": (Adaptive(randomized=False), 0.0, 0),
    "raps": (Adaptive(penalty=0.1, free=2), 0.1, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_a_nonconformity_is_what_the_paper_says(case):
    ours, penalty, free = CASES[case]
    energies = torch.cat([drawn(20)[0], f64([[1, 1, 0, 1, 1], [math.inf, 3, 1, math.inf, 3]])])
    u = torch.rand(22, 1, generator=generator(), dtype=F64).squeeze(1)
    if case == "aps, not randomized":
        u = torch.ones(22)
    name = "adaptive" if "aps" in case else case
    due = torch.from_numpy(plain(energies.numpy(), name, u.numpy(), penalty, free))
    torch.testing.assert_close(ours(energies, generator()), due)


@pytest.mark.parametrize("case", CASES)
def test_sets_hold_the_truth_as_often_as_promised_whatever_the_energy_is(case):
    # n = 19 and a level of 0.8: the 16th of 20. Energies that have nothing to do with y.
    shares = []
    rng = generator()
    for _ in range(60):
        x = torch.randn(19 + 50, K, generator=rng, dtype=F64)
        y = torch.randint(K, (19 + 50,), generator=rng)
        how = {"nonconformity": CASES[case][0], "rng": rng}
        found = calibrate_choices(Table(), LABELS, x[:19], y[:19], 0.8, **how)
        shares.append(found.judge(x[19:], y[19:], rng=rng).coverage.share)
    law = stats.beta(16, 4)
    spread = math.sqrt(law.var() + (law.mean() - law.mean() ** 2 - law.var()) / 50)
    if case == "aps, not randomized":
        # All that rank last tie at s = 1, and ties cover more.
        assert sum(shares) / 60 > 0.82
        return
    assert has_mean(f64(shares), 0.8, spread)
    assert not has_mean(f64(shares) - 0.15, 0.8, spread)


def test_randomized_adaptive_sets_of_a_right_model_are_calibrated_for_every_x():
    # Its s is uniform, whatever x is: so τ is Beta(28, 3), the 28th of 30.
    def thresholds(kind: Adaptive) -> Tensor:
        found = []
        for seed in range(200):
            x, y = drawn(30, seed)
            how = {"nonconformity": kind, "rng": generator(seed + 1000)}
            found.append(calibrate_choices(Table(), LABELS, x, y, 0.9, **how).threshold)
        return torch.stack(found)

    law = stats.beta(28, 3).cdf
    assert fits(thresholds(Adaptive()), law)
    assert not fits(thresholds(Adaptive(randomized=False)), law)


def test_calibration_on_data_that_the_energy_has_learned_covers_too_little():
    x, y = randn(400, K), torch.randint(K, (400,), generator=generator())
    learned = x[:200] - 9 * nn.functional.one_hot(y[:200], K)
    found = calibrate_choices(Table(), LABELS, learned, y[:200])
    assert found.judge(learned, y[:200]).coverage.share > 0.89
    assert found.judge(x[200:], y[200:]).coverage.share < 0.1


def test_surprisals_make_smaller_sets_than_energies_of_any_height():
    x, y = drawn(2000)
    size = {}
    for case, (s, *_) in CASES.items():
        found = calibrate_choices(
            Table(), LABELS, x[:1000], y[:1000], nonconformity=s, rng=generator()
        )
        judged = found.judge(x[1000:], y[1000:], rng=generator())
        size[case] = float(judged.sizes.double().mean())
    assert min(size, key=size.__getitem__) == "surprisal"
    assert max(size, key=size.__getitem__) == "raw"


def test_the_raw_energy_makes_the_sets_of_calibrate():
    x, y = randn(40, 1), torch.randint(3, (40, 1), generator=generator()).to(F64)
    values = f64([[0.0], [1.0], [2.0]])
    free = FreeEnergy(Reconstruction(Shift()), Enumerate(f64([[0.0], [0.5]])))
    for energy in (SquaredDistance(), free):
        ours = calibrate_choices(energy, values, x, y, nonconformity=RawEnergy(), chunk=7)
        due = calibrate(energy, x, y)
        torch.testing.assert_close(ours.threshold, due.threshold)
        inside = [due.contains(x, v.expand(40, 1)) for v in values]
        assert torch.equal(ours.sets(x, chunk=11), torch.stack(inside, 1))


class Shift(nn.Module):
    """x moved by z."""

    def forward(self, x, z):
        return x + z


def test_each_value_may_have_a_threshold_of_its_own():
    # Label 0 is easy and label 1 hard: one τ covers the first always, the second too seldom.
    y = (torch.rand(4000, generator=generator()) < 0.3).long()
    x = torch.where(y == 0, 0.1, 1.0) * randn(4000, 1).squeeze(1) + y
    energy, values = SquaredDistance(), f64([[0.0], [1.0]])
    both = {
        own: calibrate_choices(
            energy, values, x[:2000, None], values[y[:2000]], per_value=own
        ).judge(x[2000:, None], values[y[2000:]])
        for own in (False, True)
    }
    assert both[True].by_value().number.tolist() == y[2000:].bincount().tolist()
    # 4.9 standard errors of calibration and test: a rate of 1e-6 for each.
    for share, count, n in zip(*both[True].by_value(), y[:2000].bincount(), strict=True):
        assert abs(share - 0.9) < 4.9 * math.sqrt(0.09 * (1 / count + 1 / n))
    assert both[False].by_value().share[1] < 0.8


def test_coverage_is_told_by_size():
    x, y = drawn(300)
    judged = calibrate_choices(Table(), LABELS, x, y, 0.7).judge(x, y)
    share, count = judged.by_size()
    assert (int(count.sum()), len(count)) == (300, K + 1)
    sizes = judged.sets.sum(1)
    for size in range(K + 1):
        own = judged.held[sizes == size].double().mean()
        torch.testing.assert_close(share[size], own, equal_nan=True)
    error = judged.coverage.standard_error
    assert error == pytest.approx(math.sqrt(0.7 * 0.3 / 300), rel=0.1)


def test_ties_and_impossible_values_keep_the_promise():
    x = torch.zeros(20, K, dtype=F64)
    y = torch.randint(K, (20,), generator=generator())
    assert bool(calibrate_choices(Table(), LABELS, x, y).sets(x).all())
    # A truth that is impossible: sets hold everything rather than break the promise.
    gone = torch.where(LABELS == 0, math.inf, x)
    every = calibrate_choices(Table(), LABELS, gone, torch.zeros(20, dtype=torch.long))
    assert (float(every.threshold), bool(every.sets(gone).all())) == (math.inf, True)
    seldom = calibrate_choices(Table(), LABELS, gone, y.clamp(min=1))
    assert seldom.sets(gone).sum(0).tolist() == [0, 20, 20, 20, 20]


def test_what_cannot_be_calibrated_is_refused():
    x, y = drawn(20)
    energy = Table()
    with pytest.raises(ConfigurationError, match=r"y\[0\] is none of the 5 values"):
        calibrate_choices(energy, LABELS, x, y + 9)
    with pytest.raises(ConfigurationError, match="occurs twice"):
        calibrate_choices(energy, torch.zeros(5, dtype=torch.long), x, y)
    with pytest.raises(ConfigurationError, match="at least 99 are needed"):
        calibrate_choices(energy, LABELS, x, y, 0.99)
    with pytest.raises(ConfigurationError, match=r"4 of 5 values have fewer than the 9"):
        calibrate_choices(energy, LABELS, x, torch.zeros(20, dtype=torch.long), per_value=True)
    with pytest.raises(ConfigurationError, match="Adaptive draws random numbers"):
        calibrate_choices(energy, LABELS, x, y, nonconformity=Adaptive())
    with pytest.raises(ConfigurationError, match="penalty is -1"):
        Adaptive(penalty=-1)
    with pytest.raises(ShapeError, match=r"y has shape \(20, 1\), values \(5,\)"):
        calibrate_choices(energy, LABELS, x, y[:, None])
    with pytest.raises(ShapeError, match="y has 20 rows, x"):
        calibrate_choices(energy, LABELS, x[:3], y)
    for bad, match in ((math.nan, "value 2 is nan"), (-math.inf, "value 2 is -inf")):
        with pytest.raises(NonFiniteError, match=match):
            calibrate_choices(energy, LABELS, torch.where(LABELS == 2, bad, x), y)
    with pytest.raises(NonFiniteError, match="no value is possible"):
        calibrate_choices(energy, LABELS, torch.full_like(x, math.inf), y)
