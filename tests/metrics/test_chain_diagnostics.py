"""R-hat, effective sizes and standard errors against arviz-stats, closed forms and experiments."""

import math

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from diagnostics_support import as_arrays, autoregressive
from problems import RATE, f64, generator, has_variance, randn
from scipy import stats

from ebmlab import metrics
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.metrics.autocorrelation import effective


def stuck(samples, seed=1):
    """Every draw repeated with probability 0.7, as a Metropolis chain repeats rejected ones."""
    stay = torch.rand(samples.shape, generator=generator(seed)) < 0.7
    steps = [samples[0]]
    for new, old in zip(samples[1:], stay[1:], strict=True):
        steps.append(torch.where(old, steps[-1], new))
    return torch.stack(steps)


def two_valued():
    return (randn(200, 4, 2) > 0).double()


CASES = {
    "independent": lambda: randn(300, 4, 3),
    "slow": lambda: autoregressive(400, 4, 3, phi=0.95),
    "warm": lambda: autoregressive(400, 5, 3, phi=0.5),
    "antithetic": lambda: autoregressive(400, 4, 3, phi=-0.5),
    "very antithetic": lambda: autoregressive(400, 4, 3, phi=-0.97),
    "cauchy": lambda: randn(300, 4, 2) / randn(300, 4, 2, seed=1),
    "chains apart": lambda: randn(100, 4, 2) + torch.arange(4.0)[:, None],
    "widths apart": lambda: randn(100, 4, 2) * f64([1, 1, 1, 5])[:, None],
    "a drift": lambda: randn(100, 3, 2) + torch.linspace(0, 3, 100)[:, None, None],
    "repeats": lambda: stuck(randn(301, 4, 2)),
    "ties": lambda: autoregressive(200, 4, 3, phi=0.7).round(),
    "two values": two_valued,
    "odd": lambda: autoregressive(101, 3, 2, phi=0.8),
    "four draws": lambda: randn(4, 3, 20),
    "five draws": lambda: randn(5, 2, 20),
    "seven draws": lambda: randn(7, 2, 20),
    "offset": lambda: 1e6 + randn(100, 4, 2),
    "scalar": lambda: randn(100, 4),
    "image": lambda: autoregressive(50, 3, 2, 4, 5, phi=0.6),
    "single precision": lambda: randn(100, 4, 2).float(),
    "integers": lambda: (3 * randn(100, 4, 2)).long(),
}
CASE = pytest.mark.parametrize("samples", [make() for make in CASES.values()], ids=CASES)

THEIRS = {
    "rhat": lambda a: array_stats.rhat(a),
    "ess": lambda a: array_stats.ess(a, method="bulk"),
    "ess_tail": lambda a: array_stats.ess(a, method="tail", prob=(0.05, 0.95)),
    "ess_mean": lambda a: array_stats.ess(a, method="mean"),
    "ess_std": lambda a: array_stats.ess(a, method="sd"),
    "mcse": lambda a: array_stats.mcse(a, method="mean"),
}


def agree(ours, theirs):
    assert ours.dtype == torch.float64
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-9, atol=0)


@CASE
@pytest.mark.parametrize("name", THEIRS)
def test_agrees_with_arviz(name, samples):
    ours = getattr(metrics, name)(samples)
    assert ours.shape == samples.shape[2:]
    with np.errstate(invalid="ignore", divide="ignore"):
        agree(ours, THEIRS[name](as_arrays(samples)))


@pytest.mark.parametrize("name", [name for name in THEIRS if name != "rhat"])
@pytest.mark.parametrize("phi", [-0.6, 0.0, 0.9])
def test_one_chain_agrees_with_arviz(name, phi):
    samples = autoregressive(301, 1, 3, phi=phi)
    agree(getattr(metrics, name)(samples), THEIRS[name](as_arrays(samples)))


def test_rhat_of_one_chain_compares_its_halves():
    drifting = randn(100, 1) + torch.linspace(0, 2, 100)[:, None]
    two = drifting[:, 0].reshape(2, 50).numpy()
    worst = 0
    for y in (two, abs(two - np.median(two))):
        z = stats.norm.ppf((stats.rankdata(y).reshape(2, 50) - 0.375) / 100.25)
        between, within = z.mean(1).var(ddof=1), z.var(1, ddof=1).mean()
        worst = max(worst, math.sqrt(between / within + 49 / 50))
    assert float(metrics.rhat(drifting)) == pytest.approx(worst, rel=1e-12)
    assert worst > 1.1 > float(metrics.rhat(randn(100, 1)))


def test_a_missing_step_would_be_noticed():
    samples = autoregressive(400, 4, 3, phi=0.9)
    whole = effective(samples.permute(2, 1, 0))
    due = array_stats.ess(as_arrays(samples), method="mean")
    assert (abs(whole.numpy() / due - 1) > 1e-3).all()


def test_a_constant_coordinate_is_worth_n_and_has_no_rhat():
    samples = randn(100, 4, 2)
    samples[..., 1] = 0.1
    due = {"ess": 400, "ess_tail": 400, "ess_mean": 400, "ess_std": 400, "mcse": 0}
    for name, value in due.items():
        found = getattr(metrics, name)(samples)
        assert float(found[1]) == value
        with np.errstate(invalid="ignore"):
            theirs = THEIRS[name](as_arrays(samples))
        np.testing.assert_allclose(found.numpy(), theirs, rtol=1e-9, atol=1e-15)
    for unknown in (metrics.rhat, metrics.mcse_std):
        assert unknown(samples).isnan().tolist() == [False, True]
    assert metrics.autocorrelation(samples)[..., 1].isnan().all()


def test_chains_that_stand_still_apart_have_infinite_rhat():
    samples = f64([0.1, 0.2, 0.3]).expand(100, 3)
    assert float(metrics.rhat(samples)) == math.inf
    assert float(metrics.ess(samples)) < 4


@pytest.mark.parametrize("phi", [-0.8, 0.0, 0.5, 0.9])
def test_the_effective_size_of_an_autoregression_is_known(phi):
    samples = autoregressive(2000, 8, 40, phi=phi)
    time = 16000 / metrics.ess_mean(samples)
    due = max((1 + phi) / (1 - phi), 1 / math.log10(16000))
    assert float(time.mean()) == pytest.approx(due, rel=0.06)
    time = 16000 / metrics.ess_std(samples)
    assert float(time.mean()) == pytest.approx((1 + phi**2) / (1 - phi**2), rel=0.06)


# Each draws 500 estimates and asks whether their errors, in standard errors, have variance 1:
# false alarms at RATE, were these standard errors exact; they are within a few percent.
def test_standard_errors_are_those_of_repeated_experiments():
    for phi in (-0.4, 0.0, 0.8):
        samples = autoregressive(400, 4, 500, phi=phi)
        assert has_variance(samples.mean((0, 1)) / metrics.mcse(samples), 1.0)
        assert not has_variance(samples.mean((0, 1)) / (2 * metrics.mcse(samples)), 1.0)
        off = samples.flatten(0, 1).std(0) - 1
        assert has_variance(off / metrics.mcse_std(samples), 1.0)


def test_the_effective_size_of_the_mean_is_wrong_for_the_deviation_of_antithetic_chains():
    samples = autoregressive(400, 4, 500, phi=-0.8)
    off = samples.flatten(0, 1).std(0) - 1
    assert has_variance(off / metrics.mcse_std(samples), 1.0)
    assert not has_variance(off / f64(array_stats.mcse(as_arrays(samples), method="sd")), 1.0)


@CASE
def test_the_error_of_the_deviation_is_the_delta_method(samples):
    a = as_arrays(samples)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = array_stats.ess(a, method="mean") / array_stats.ess(a, method="sd")
        due = array_stats.mcse(a, method="sd") * np.sqrt(ratio)
    np.testing.assert_allclose(metrics.mcse_std(samples).numpy(), due, rtol=1e-7)


def test_autocorrelations_are_their_sums():
    samples = autoregressive(30, 2, 3, phi=0.7)
    found = metrics.autocorrelation(samples)
    away = samples - samples.mean(0)
    for lag in (0, 1, 2, 17, 29):
        due = (away[: 30 - lag] * away[lag:]).sum(0) / away.square().sum(0)
        torch.testing.assert_close(found[lag], due, rtol=1e-12, atol=1e-13)


def test_many_coordinates_are_worked_on_in_blocks():
    samples = randn(100, 4, 30, 30)
    for name in THEIRS:
        statistic = getattr(metrics, name)
        whole = statistic(samples)
        torch.testing.assert_close(whole[29, 3:], statistic(samples[:, :, 29, 3:]))
        torch.testing.assert_close(whole[0, 0], statistic(samples[..., 0, 0]))


def test_samples_are_left_alone_and_gradients_are_not_followed():
    samples = randn(50, 2, 3).requires_grad_()
    before = samples.detach().clone()
    for name in [*THEIRS, "mcse_std", "autocorrelation", "summary"]:
        getattr(metrics, name)(samples)
    assert torch.equal(samples, before)
    assert not metrics.mcse(samples).requires_grad


def hamiltonian_energies(draws=200, chains=128):
    """H after each refreshment, and u, of exact trajectories over y⁴/4."""
    rng = generator()
    y = torch.zeros(chains, dtype=torch.float64)
    h, u = [], []
    for _ in range(draws + 20):
        p = torch.randn(chains, generator=rng, dtype=torch.float64)
        h.append(y**4 / 4 + p**2 / 2)
        u.append(y**4 / 4)
        step = 0.04 + 0.04 * torch.rand(chains, generator=rng, dtype=torch.float64)
        for _ in range(40):
            p = p - step / 2 * y**3
            y = y + step * p
            p = p - step / 2 * y**3
    return torch.stack(h[20:]), torch.stack(u[20:])


def test_the_missing_information_of_energies_agrees_with_arviz_and_with_the_potentials():
    h, u = hamiltonian_energies()
    found = metrics.ebfmi(h)
    np.testing.assert_allclose(found, array_stats.bfmi(h.numpy().T), rtol=1e-12)
    # u ~ Gamma(1/4), of variance 1/4: E-BFMI = 1 / (1/4 + 1/2).
    for each in (found, metrics.potential_ebfmi(u, 1)):
        z = (each.mean() - 4 / 3) / (each.std() / 128**0.5)
        assert 2 * stats.norm.sf(abs(float(z))) > RATE
    wrong = metrics.ebfmi(u)
    assert abs(float((wrong.mean() - 4 / 3) / (wrong.std() / 128**0.5))) > 5


def test_faults_are_typed_and_named():
    for name in [*THEIRS, "mcse_std", "autocorrelation", "summary"]:
        statistic = getattr(metrics, name)
        with pytest.raises(ShapeError, match=r"samples has shape \(3, 4\): 3 draws .* least 4"):
            statistic(randn(3, 4))
        for shape in ((100,), (100, 0), (100, 4, 0)):
            with pytest.raises(ShapeError, match=r"draws, chains, \*event"):
                statistic(torch.zeros(shape))
        for bad in (math.nan, math.inf):
            samples = randn(10, 4, 2)
            samples[7, 2, 1] = bad
            with pytest.raises(NonFiniteError, match=r"draw 7 of chain 2, coordinate \(1,\)"):
                statistic(samples)
    with pytest.raises(ShapeError, match="energies has shape"):
        metrics.ebfmi(randn(10, 4, 2))
    with pytest.raises(NonFiniteError, match="energies"):
        metrics.potential_ebfmi(torch.full((10, 2), math.nan), 1)
    with pytest.raises(ConfigurationError, match="dim is 0"):
        metrics.potential_ebfmi(randn(10, 4), 0)
