"""Parallel tempering: the joint law of replicas stays exact, far modes get their weights."""

import math
from itertools import pairwise

import pytest
import torch
from problems import F64, RATE, f64, fits, generator, has_variance, randn
from samplers_support import bowl
from scipy import stats
from torch import Tensor

from ebmlab.energies import GaussianMixture
from ebmlab.errors import NonFiniteError
from ebmlab.samplers import MALA, Kernel, Langevin, run
from ebmlab.samplers.tempering import ParallelTempering, TemperingState
from ebmlab.samplers.underdamped import Underdamped
from ebmlab.types import Info, Potential

FAR = GaussianMixture(f64([[-4.0], [4.0]]), 0.5, f64([1.0, 3.0]))
LADDER = (1.0, 2.5, 6.0, 15.0, 36.0)
THREE = (1.0, 2.0, 5.0)


class Still(Kernel):
    """Moves nothing, so that only swaps are seen."""

    def draw(self, state, rng):
        return ()

    def move(self, u, state, noise):
        return state, Info(torch.ones_like(state.energy))


class Altered(ParallelTempering):
    """A tempering whose swaps see other thresholds, or none."""

    def move(self, u, state, noise):
        moves, thresholds = noise
        return super().move(u, state, (moves, self.altered(thresholds)))


class Always(Altered):
    """Swaps whatever the energies: no threshold is ever too high."""

    def altered(self, thresholds):
        return torch.full_like(thresholds, -1.0)


class Generous(Altered):
    """Swaps with the square root of the right probability."""

    def altered(self, thresholds):
        return thresholds.square()


def at(u: Potential, kernel: ParallelTempering, ys: list[Tensor]) -> TemperingState:
    """The state whose replicas stand at given points."""
    state = kernel.init(u, ys[0], generator())
    replicas = [
        old._replace(y=y, **dict(zip(("energy", "grad"), u.value_and_grad(y), strict=True)))
        for old, y in zip(state.replicas, ys, strict=True)
    ]
    return state._replace(y=ys[0], energy=replicas[0].energy, replicas=tuple(replicas))


def gaussian_start(kernel: ParallelTempering, n: int = 20_000) -> TemperingState:
    """Exact draws of all tempered laws of ½ ‖y‖²: variances are the temperatures."""
    ys = [math.sqrt(t) * randn(n, 2, seed=i + 1) for i, t in enumerate(kernel.temperatures)]
    return at(Potential(bowl), kernel, ys)


def joint_law_holds(state: TemperingState, temperatures: tuple[float, ...]) -> bool:
    """Variances of the replicas, and of sums and differences of neighbors: no correlation."""
    unit = [
        replica.y / math.sqrt(t) for replica, t in zip(state.replicas, temperatures, strict=True)
    ]
    alone = all(has_variance(y, 1.0) for y in unit)
    return alone and all(
        has_variance(a + b, 2.0) and has_variance(a - b, 2.0) for a, b in pairwise(unit)
    )


KERNELS = {
    "still": ParallelTempering(Still(), THREE),
    "MALA": ParallelTempering(lambda t: MALA(0.8 * t), THREE),
    "one MALA": ParallelTempering(MALA(0.8), THREE),
    "underdamped": ParallelTempering(lambda t: Underdamped(0.05 * t**0.5), THREE),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_joint_law_of_the_replicas_stays_exact(name):
    kernel = KERNELS[name]
    start = gaussian_start(kernel)
    assert joint_law_holds(start, THREE)
    chain = run(kernel, bowl, start, steps=20, rng=generator(4))
    assert joint_law_holds(chain.state, THREE)
    assert (chain.state.swap_rates > 0.2).all()


@pytest.mark.parametrize("wrong", [Always, Generous])
def test_a_wrong_swap_ratio_is_seen(wrong):
    kernel = wrong(lambda t: MALA(0.8 * t), THREE)
    chain = run(kernel, bowl, gaussian_start(kernel), steps=20, rng=generator(4))
    assert not joint_law_holds(chain.state, THREE)
    # Without moves the pairs are only exchanged more often: variances tell it at once.
    still = wrong(Still(), THREE)
    chain = run(still, bowl, gaussian_start(still), steps=1, rng=generator(4))
    assert not joint_law_holds(chain.state, THREE)


def test_far_modes_get_their_weights_and_one_chain_alone_never_crosses():
    start = torch.full((600, 1), -4.0, dtype=F64)
    alone = run(MALA(0.15), FAR.given(), start, steps=200, rng=generator(1))
    assert (alone.state.y < 0).all()
    kernel = ParallelTempering(lambda t: MALA(0.15 * t), LADDER)
    chain = run(kernel, FAR.given(), start, steps=200, rng=generator(1))
    right = int((chain.state.y > 0).sum())
    assert stats.binomtest(right, 600, 0.75).pvalue > RATE
    assert stats.binomtest(right, 600, 0.5).pvalue < RATE
    y = chain.state.y[:, 0]

    def cdf(v):
        return 0.25 * stats.norm.cdf(v, -4, 0.5) + 0.75 * stats.norm.cdf(v, 4, 0.5)

    assert fits(y, cdf)
    assert (chain.state.swap_rates > 0.3).all()
    always = Always(kernel.kernel, LADDER)
    wrong = run(always, FAR.given(), start, steps=100, rng=generator(1))
    assert not fits(wrong.state.y[:, 0], cdf)


def test_swaps_are_those_of_the_formula_and_counted():
    kernel, u = ParallelTempering(Still(), (1.0, 2.0, 5.0, 20.0)), Potential(bowl)
    state = at(u, kernel, [randn(100, 1, seed=i) * (1 + i) for i in range(4)])
    rng, swaps, tried = generator(7), torch.zeros(100, 3), torch.zeros(100)
    reported, attempts = torch.zeros(100, dtype=F64), torch.zeros(100, dtype=F64)
    for step in range(12):
        noise = kernel.draw(state, kernel.source(rng))
        ys = torch.stack([replica.y[:, 0] for replica in state.replicas], 1)
        for chain in range(100):
            for i in range(step % 2, 3, 2):
                gap = 1 / kernel.temperatures[i] - 1 / kernel.temperatures[i + 1]
                ratio = math.exp(
                    gap * float(bowl(ys[chain, i : i + 1]) - bowl(ys[chain, i + 1 : i + 2]))
                )
                tried[chain] += 1
                if noise[1][chain, i] < ratio:
                    ys[chain, [i, i + 1]] = ys[chain, [i + 1, i]]
                    swaps[chain, i] += 1
        state, info = kernel.move(u, state, noise)
        now = torch.stack([replica.y[:, 0] for replica in state.replicas], 1)
        assert torch.equal(now, ys)
        reported, attempts = reported + info.swaps, attempts + info.attempts
    assert torch.equal(state.swaps, swaps.long())
    assert torch.equal(reported, swaps.sum(1).double())
    assert torch.equal(attempts, tried.double())
    torch.testing.assert_close(state.swap_rates, swaps.sum(0) / (6 * 100))
    assert swaps.sum(0).min() > 60
    torch.testing.assert_close(state.energies, now.square() / 2)


def test_run_adds_up_what_the_steps_report():
    kernel = KERNELS["MALA"]
    chain = run(kernel, bowl, randn(6, 2), steps=11, rng=generator(1), thin=1)
    # Three temperatures: one pair is tried in each step.
    assert torch.equal(chain.info.attempts, torch.full((6,), 11.0, dtype=F64))
    assert torch.equal(chain.info.swaps, chain.state.swaps.sum(1).double())
    assert chain.samples.shape == (11, 6, 2)
    torch.testing.assert_close(chain.energies, 0.5 * chain.samples.square().sum(2))
    assert (chain.acceptance < 1).any()


@pytest.mark.parametrize(("shape", "dtype"), [((), torch.float32), ((1, 2, 2), F64)])
def test_hot_replicas_have_events_of_any_shape(shape, dtype):
    start = 2 * torch.ones(5000, *shape, dtype=dtype)
    chain = run(KERNELS["MALA"], bowl, start, steps=40, rng=generator(3))
    assert chain.state.y.shape == start.shape
    assert chain.state.energies.shape == (5000, 3)
    for replica, t in zip(chain.state.replicas, THREE, strict=True):
        assert replica.y.dtype == dtype
        assert has_variance(replica.y, t)
        torch.testing.assert_close(replica.energy, bowl(replica.y))
        torch.testing.assert_close(replica.grad, replica.y)


def test_momenta_travel_with_their_replicas():
    kernel = KERNELS["underdamped"]
    chain = run(kernel, bowl, gaussian_start(kernel), steps=20, rng=generator(4))
    for replica in chain.state.replicas:
        assert has_variance(replica.momentum, 1.0)


def test_what_goes_wrong_in_a_hot_replica_is_seen_or_counted():
    def fenced(y: Tensor) -> Tensor:
        return bowl(y) + torch.where(y[:, 0] > 2.5, torch.nan, 0.0)

    start = torch.zeros(200, 1, dtype=F64)
    chain = run(
        ParallelTempering(MALA(0.3), (1.0, 30.0)), fenced, start, steps=50, rng=generator()
    )
    assert chain.info.nonfinite.sum() > 100
    assert chain.state.energies.isfinite().all()
    alone = run(MALA(0.3), fenced, start, steps=50, rng=generator())
    assert alone.info.nonfinite.sum() < chain.info.nonfinite.sum()
    wild = ParallelTempering(lambda t: Langevin(0.01 * t), (1.0, 1e4))
    with pytest.raises(NonFiniteError, match=r"chain \d+ at step \d+"):
        run(wild, fenced, start, steps=50, rng=generator())
