"""Warm-up on targets whose covariance is known: what it learns, and what it leaves exact."""

import dataclasses
import sys

import pytest
import torch
from problems import F64, f64, generator, has_variance, randn
from samplers_support import bowl
from torch import Tensor

from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError
from ebmlab.samplers import HMC, MALA, NUTS, Dense, Diagonal, Langevin, run, warmup
from ebmlab.samplers.metric import Identity
from ebmlab.types import Potential


class Bell(Potential):
    """½ yᵀ C⁻¹ y of the flattened event, its gradient written by hand."""

    def __init__(self, covariance: Tensor, offset: float = 0.0) -> None:
        self.covariance, self.offset = covariance, offset
        self.precision = torch.linalg.inv(covariance)

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        flat = y.reshape(len(y), -1)
        grad = flat @ self.precision.to(y)
        return 0.5 * (flat * grad).sum(1) + self.offset, grad.reshape(y.shape)

    def whitened(self, y: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(self.covariance)
        return torch.linalg.solve_triangular(factor, y.reshape(len(y), -1).double().T, upper=False)


def turned(deviations: Tensor) -> Tensor:
    """A covariance of these standard deviations along random directions."""
    directions = torch.linalg.qr(randn(len(deviations), len(deviations)))[0]
    return directions @ torch.diag(deviations.square()) @ directions.T


UNITS = f64([1e-3, 1.0, 1e3])
ALIKE = f64([[1.0, 0.999, 0.5], [0.999, 1.0, 0.5], [0.5, 0.5, 1.0]])
STRETCHED = Bell(turned(f64([0.1, 0.3, 1.0, 3.0, 10.0])))
SCALED = Bell(ALIKE * UNITS[:, None] * UNITS)
BELL = Bell(turned(f64([1.0, 3.0, 10.0])))
SHIFTED = Bell(turned(f64([0.1, 0.3, 1.0, 3.0, 10.0])), 1e11)


def of_metric(metric, dim: int) -> Tensor:
    factor = metric.spread(torch.eye(dim, dtype=F64))
    return factor.mT @ factor


@pytest.mark.parametrize("bell", [STRETCHED, SCALED, SHIFTED], ids=["1e4", "1e6 units", "1e11"])
def test_the_metric_becomes_the_covariance_and_what_follows_is_exact(bell):
    dim = len(bell.covariance)
    tuned, state = warmup(HMC(0.1, 5), bell, randn(64, dim), steps=400, rng=generator(1))
    # Relative to the covariance, whatever its condition: eigenvalues of C⁻¹ M.
    ratio = torch.linalg.eigvals(bell.precision @ of_metric(tuned.metric, dim)).real
    assert ratio.min() > 0.7
    assert ratio.max() < 1.4
    assert isinstance(tuned.step_size, float)
    # One state of each of many chains, so that the judge's rate is exact.
    wide = state.y.repeat(40, 1)
    chain = run(dataclasses.replace(tuned, jitter=0.2), bell, wide, steps=40, rng=generator(2))
    assert 0.7 < chain.acceptance.mean() < 0.9
    for part in bell.whitened(chain.state.y):
        assert has_variance(part, 1.0)
        assert not has_variance(part, 1.5)


# Kernel, target, chains, steps, runs: few chains tune a step that varies, 0.035 in acceptance.
KERNELS = {
    "mala": (MALA(0.1), 0.57, 64, 400, 1),
    "hmc": (HMC(0.1, 4), 0.8, 64, 400, 1),
    "hmc, four chains": (HMC(0.1, 4, jitter=0.2), 0.8, 4, 400, 4),
    "nuts": (NUTS(0.5), 0.8, 8, 80, 1),
}


@pytest.mark.parametrize("name", KERNELS)
def test_each_kernel_meets_its_target(name):
    kernel, target, chains, steps, runs = KERNELS[name]
    accepted = []
    for k in range(runs):
        rng = generator(k + 1)
        tuned, state = warmup(kernel, BELL, randn(chains, 3), steps=steps, rng=rng)
        accepted.append(run(tuned, BELL, state, steps=steps // 4, rng=rng).acceptance.mean())
    assert abs(float(torch.stack(accepted).mean()) - target) < 0.12


def test_a_target_of_one_s_own_is_met():
    low, state = warmup(MALA(0.1), BELL, randn(64, 3), steps=300, rng=generator(1), target=0.8)
    chain = run(low, BELL, state, steps=50, rng=generator(2))
    assert abs(float(chain.acceptance.mean()) - 0.8) < 0.07


def test_a_class_of_metric_may_be_chosen_and_events_have_any_shape():
    u = Bell(torch.diag(f64([0.01, 1.0, 100.0, 1.0, 1.0, 1.0])))
    start = randn(32, 1, 2, 3)
    learned = {
        kind: warmup(HMC(0.1, 5), u, start, steps=300, rng=generator(), metric=kind)[0].metric
        for kind in (Identity, Diagonal, Dense, None)
    }
    assert isinstance(learned[Identity], Identity)
    assert learned[Diagonal].std.shape == (1, 2, 3)
    torch.testing.assert_close(
        learned[Diagonal].std.flatten()[:3], f64([0.1, 1.0, 10.0]), rtol=0.2, atol=0
    )
    assert isinstance(learned[Dense], Dense)
    assert isinstance(learned[None], Dense)


def test_many_dimensions_learn_a_diagonal_metric():
    tuned, _ = warmup(HMC(0.3, 3), bowl, randn(8, 101), steps=60, rng=generator())
    assert isinstance(tuned.metric, Diagonal)


def test_single_precision_scalars_and_one_thousand_chains():
    start = torch.randn(1000, generator=generator())
    tuned, state = warmup(
        MALA(0.1), lambda y: 0.5 * (y / 30).square(), start, steps=100, rng=generator()
    )
    assert state.y.dtype == torch.float32
    assert tuned.metric.factor.dtype == torch.float32
    assert float(tuned.metric.factor) == pytest.approx(30, rel=0.1)


def test_a_chain_in_a_steep_place_is_not_left_behind():
    # Neal's funnel turned down: in the neck, steps must be hundreds of times smaller.
    def funnel(y: Tensor) -> Tensor:
        return y[:, 0].square() / 2 + 0.5 * y[:, 1].square() * (-2 * y[:, 0]).exp() + y[:, 0]

    start = randn(16, 2)
    start[0] = f64([-6.0, 1.0])
    assert funnel(start)[0] > 1e4
    _, state = warmup(HMC(0.5, 10), funnel, start, steps=200, rng=generator())
    assert state.energy.max() < 10


def test_far_starts_come_home():
    start = 1e4 * randn(16, 5)
    tuned, state = warmup(HMC(0.1, 10), STRETCHED, start, steps=400, rng=generator())
    assert state.energy.max() < 20
    ratio = torch.linalg.eigvals(STRETCHED.precision @ of_metric(tuned.metric, 5)).real
    assert ratio.min() > 0.5
    assert ratio.max() < 2


def test_the_same_generator_gives_the_same_warm_up_and_others_are_not_touched():
    before = torch.get_rng_state()
    start = randn(8, 5)
    copy = start.clone()
    one, two = (warmup(HMC(0.1, 3), STRETCHED, start, steps=60, rng=generator(3)) for _ in "ab")
    assert one[0].step_size == two[0].step_size
    assert torch.equal(one[0].metric.factor, two[0].metric.factor)
    assert torch.equal(one[1].y, two[1].y)
    assert torch.equal(start, copy)
    assert torch.equal(torch.get_rng_state(), before)
    again = warmup(HMC(0.1, 3), STRETCHED, one[1], steps=60, rng=generator(4))
    assert not torch.equal(again[1].y, one[1].y)


@pytest.mark.slow
def test_compiled_warm_up_learns_the_same():
    learned = []
    for compiles in (False, True):
        tuned, state = warmup(
            HMC(0.1, 3), bowl, randn(8, 3), steps=40, rng=generator(3), compile=compiles
        )
        learned.append((tuned, state.y))
    (one, y), (two, same) = learned
    assert two.step_size == pytest.approx(one.step_size, rel=1e-3)
    torch.testing.assert_close(y, same, rtol=1e-3, atol=1e-3)


def test_proposals_that_are_not_finite_are_survived():
    def walled(y: Tensor) -> Tensor:
        return y.sum(-1) - 2 * y.log().sum(-1)  # NaN below 0

    tuned, state = warmup(HMC(1.0, 5), walled, 1 + randn(32, 2).abs(), steps=200, rng=generator())
    assert bool((state.y > 0).all())
    assert 0.6 < run(tuned, walled, state, steps=50, rng=generator()).acceptance.mean() < 0.95


def test_mistakes_are_named():
    start = randn(4, 2)
    with pytest.raises(ConfigurationError, match="at least 40"):
        warmup(HMC(0.1), bowl, start, steps=39, rng=generator())
    with pytest.raises(ConfigurationError, match="target is 1"):
        warmup(HMC(0.1), bowl, start, steps=50, rng=generator(), target=1.0)
    with pytest.raises(ConfigurationError, match="lacks target_acceptance, learner;"):
        warmup(Langevin(0.1), bowl, start, steps=50, rng=generator())
    with pytest.raises(NonFiniteError, match="chain 0"):
        warmup(HMC(0.1), lambda y: bowl(y) / 0, start, steps=50, rng=generator())
    with pytest.raises(DivergenceError, match="without bound"):
        warmup(HMC(0.5, 5), lambda y: -1e7 * y.sum(-1), 0 * start, steps=100, rng=generator())


def test_a_bar_is_shown_on_request(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    warmup(HMC(0.1, 1), bowl, randn(4, 2), steps=40, rng=generator(), progress=True)
    assert "40/40" in capsys.readouterr().err
