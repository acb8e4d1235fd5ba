"""Samplers: stationary laws known in closed form, kernels written a second time, and faults.

Chains are independent and many: the judge sees one state of each, so that its false-alarm rate is
exact (`problems.RATE`). A chain started from exact draws must keep their law at every step.
"""

import dataclasses
import math

import pytest
import torch
from problems import (
    COVARIANCE_2,
    F64,
    PLANE,
    ROOT_MEAN,
    ROOT_STD,
    f64,
    fits,
    generator,
    has_mean,
    has_variance,
    log_gamma,
    log_gamma_cdf,
    log_gamma_draws,
    randn,
    root,
    root_cdf,
    root_draws,
)
from torch import Tensor, distributions

from ebmlab import FunctionEnergy
from ebmlab.energies import MLP, Gaussian
from ebmlab.errors import (
    ConfigurationError,
    DivergenceError,
    DtypeError,
    GradientError,
    NonFiniteError,
    ShapeError,
)
from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import Chain, Potential, State


def bowl(y: Tensor) -> Tensor:
    """½ ‖y‖² of an event of any shape."""
    return 0.5 * y.square().reshape(len(y), -1).sum(1)


KERNELS = {"langevin": Langevin(0.3), "mala": MALA(0.8)}
BOTH = pytest.mark.parametrize("sampler", KERNELS.values(), ids=KERNELS)


@dataclasses.dataclass(frozen=True)
class Uncorrected(MALA):
    """A faulty MALA that forgets the density of its proposal."""

    def step(self, u: Potential, state: State, rng: torch.Generator):
        moved, info = Langevin(self.step_size).step(u, state, rng)
        threshold = torch.rand(state.energy.shape, generator=rng, dtype=F64)
        accept = threshold < (state.energy - moved.energy).exp()
        kept = State(
            torch.where(accept[:, None], moved.y, state.y),
            torch.where(accept, moved.energy, state.energy),
            torch.where(accept[:, None], moved.grad, state.grad),
        )
        return kept, info


@pytest.mark.parametrize(("step_size", "temperature"), [(0.1, 1.0), (0.5, 0.25), (1.5, 1.0)])
def test_langevin_has_its_own_variance_on_a_gaussian(step_size, temperature):
    chain = run(
        Langevin(step_size, temperature),
        bowl,
        torch.zeros(20_000, 2, dtype=F64),
        steps=120,
        rng=generator(1),
    )
    assert has_variance(chain.state.y, temperature / (1 - step_size / 2))
    assert not has_variance(chain.state.y, temperature)
    assert torch.equal(chain.acceptance, torch.ones(20_000, dtype=F64))


@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.5])
def test_mala_has_the_target_s_variance_on_a_gaussian(step_size):
    start = 2 * randn(20_000, 2, seed=2)
    chain = run(MALA(step_size), bowl, start, steps=150, rng=generator(3))
    assert has_variance(chain.state.y, 1.0)
    assert not has_variance(chain.state.y, 1 / (1 - 0.1 / 2))


@pytest.mark.parametrize("shape", [(), (3,), (1, 2, 3)])
def test_events_of_any_shape_are_sampled(shape):
    start = randn(20_000, *shape, seed=2)
    chain = run(MALA(0.5), bowl, start, steps=20, rng=generator(4), thin=10)
    assert chain.samples.shape == (2, 20_000, *shape)
    assert has_variance(chain.state.y, 1.0)
    assert 0.3 < chain.acceptance.mean() < 0.99


TARGETS = {
    "skewed": (log_gamma, log_gamma_draws, log_gamma_cdf, 0.5),
    "NaN below -1": (root, root_draws, root_cdf, 0.05),
}


@pytest.mark.parametrize("name", TARGETS)
def test_mala_keeps_exact_draws_exact(name):
    u, draws, cdf, step_size = TARGETS[name]
    start = draws(20_000, seed=5)
    assert fits(start[:, 0], cdf)
    for steps in (1, 30):
        chain = run(MALA(step_size), u, start, steps=steps, rng=generator(6))
        assert fits(chain.state.y[:, 0], cdf)
    assert 0.2 < chain.acceptance.mean() < 0.98


def test_a_wrong_acceptance_is_seen():
    start = log_gamma_draws(20_000, seed=5)
    for wrong in (Uncorrected(0.5), Langevin(0.5)):
        chain = run(wrong, log_gamma, start, steps=30, rng=generator(6))
        assert not fits(chain.state.y[:, 0], log_gamma_cdf)


def test_mala_samples_a_correlated_gaussian_and_a_wrong_acceptance_does_not():
    problem = PLANE["gaussian"]
    u, start = problem.density.given(), torch.zeros(20_000, 2, dtype=F64)
    right = run(MALA(0.25), u, start, steps=150, rng=generator(7))
    assert problem.accepts(right.state.y)
    wrong = run(Uncorrected(0.25), u, start, steps=150, rng=generator(7))
    assert not problem.accepts(wrong.state.y)


def test_the_acceptance_equals_metropolis_hastings_with_normal_proposals():
    step_size, start = 0.7, log_gamma_draws(5000, seed=8).repeat(1, 2)
    u = Potential(log_gamma)
    state = MALA(step_size).init(u, start, generator())
    after, info = MALA(step_size).step(u, state, generator(9))

    def proposal(y: Tensor) -> distributions.Normal:
        slope = y.exp() - 2
        return distributions.Normal(y - step_size * slope, math.sqrt(2 * step_size))

    # A chain that moved shows its proposal.
    moved = (after.y != start).any(1)
    y, back = start[moved], after.y[moved]
    log_ratio = log_gamma(y) - log_gamma(back)
    log_ratio += (proposal(back).log_prob(y) - proposal(y).log_prob(back)).sum(1)
    torch.testing.assert_close(info.acceptance[moved], log_ratio.exp().clamp(max=1))
    assert (info.acceptance[moved] < 0.9).sum() > 100
    assert torch.equal(after.y[~moved], start[~moved])
    # Moves happen with the probabilities reported: their excess has a known variance.
    p = info.acceptance
    excess = (moved.double() - p).sum() / (p * (1 - p)).sum().sqrt()
    assert has_mean(excess, 0.0, 1.0)
    torch.testing.assert_close((after.energy, after.grad), (log_gamma(after.y), after.y.exp() - 2))


def test_langevin_without_temperature_is_gradient_descent():
    y = randn(5, 3)
    chain = run(Langevin(0.1, 0.0), lambda y: y.pow(4).sum(1), y, steps=20, rng=generator())
    for _ in range(20):
        y = y - 0.1 * 4 * y**3
    torch.testing.assert_close(chain.state.y, y)


def test_noise_names_its_temperature():
    assert Langevin.from_noise(10.0, 0.005).temperature == pytest.approx(1.25e-6)
    assert Langevin.from_noise(1.0, 0.01).temperature == pytest.approx(5e-5)
    # y - ε ∇u + N(0, s²): one step from the minimum has standard deviation s.
    chain = run(
        Langevin.from_noise(0.2, 0.3),
        bowl,
        torch.zeros(20_000, 1, dtype=F64),
        steps=1,
        rng=generator(1),
    )
    assert has_variance(chain.state.y, 0.09)
    assert not has_variance(chain.state.y, 0.09 * 1.1)


def test_a_tempered_energy_is_sampled_at_its_temperature():
    density = Gaussian(f64([0.0]), f64([[1.0]]))
    chain = run(
        MALA(1.0), (density / 3.0).given(), randn(20_000, 1, seed=1), steps=80, rng=generator(2)
    )
    assert has_variance(chain.state.y, 3.0)


def test_each_chain_has_its_own_x():
    energy = FunctionEnergy(lambda x, y: 5 * (y - x).square().sum(-1), ("x", "y"))
    x = torch.linspace(-100, 100, 20_000, dtype=F64)[:, None]
    chain = run(MALA(0.05), energy.given(x), x + 0.3, steps=80, rng=generator(3))
    assert has_variance(chain.state.y - x, 0.1)


def test_a_hand_written_gradient_is_used():
    class Written(Potential):
        def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return bowl(y).detach(), y.detach()

    silent = Written(lambda y: bowl(y.detach()))
    for sampler in KERNELS.values():
        ours = run(sampler, silent, randn(4, 2), steps=10, rng=generator())
        plain = run(sampler, bowl, randn(4, 2), steps=10, rng=generator())
        torch.testing.assert_close(ours.state.y, plain.state.y)


def _chains(sampler, steps: int, thin: int = 0, start: Tensor | State | None = None, **options):
    rng = options.pop("rng", generator(11))
    start = randn(6, 2, seed=10) if start is None else start
    return run(sampler, bowl, start, steps=steps, rng=rng, thin=thin, **options)


def _same(one: Chain, two: Chain) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state, two.state, strict=True))


@BOTH
def test_the_same_generator_gives_the_same_chain_bit_for_bit(sampler):
    one, two = _chains(sampler, 30, thin=1), _chains(sampler, 30, thin=1)
    assert _same(one, two)
    assert torch.equal(one.samples, two.samples)
    assert not _same(one, _chains(sampler, 30, rng=generator(12)))


@BOTH
def test_going_on_from_a_state_equals_one_longer_run(sampler):
    rng = generator(11)
    first = _chains(sampler, 13, rng=rng)
    second = _chains(sampler, 17, start=first.state, rng=rng)
    whole = _chains(sampler, 30)
    assert _same(second, whole)
    torch.testing.assert_close(
        13 * first.acceptance + 17 * second.acceptance, 30 * whole.acceptance
    )


@BOTH
def test_thinning_keeps_every_thin_th_state(sampler):
    every = _chains(sampler, 25, thin=1)
    third = _chains(sampler, 25, thin=3)
    assert every.samples.shape == (25, 6, 2)
    assert torch.equal(every.samples[-1], every.state.y)
    assert torch.equal(third.samples, every.samples[2::3])
    assert torch.equal(third.energies, bowl(third.samples.flatten(0, 1)).reshape(8, 6))
    none = _chains(sampler, 25)
    assert none.samples.shape == (0, 6, 2)
    assert none.energies.shape == (0, 6)
    assert _same(none, every)
    assert len(_chains(sampler, 5, thin=6).samples) == 0


@BOTH
def test_a_record_is_the_sum_over_steps(sampler):
    rng, parts = generator(11), []
    state = randn(6, 2, seed=10)
    for _ in range(12):
        chain = _chains(sampler, 1, start=state, rng=rng)
        state = chain.state
        parts.append(chain.info.acceptance)
    whole = _chains(sampler, 12)
    torch.testing.assert_close(whole.info.acceptance, torch.stack(parts).sum(0))
    torch.testing.assert_close(whole.acceptance, torch.stack(parts).mean(0))


def test_progress_shows_a_bar_and_changes_nothing(capsys):
    quiet = _chains(MALA(0.5), 30)
    assert capsys.readouterr().err == ""
    shown = _chains(MALA(0.5), 30, progress=True)
    captured = capsys.readouterr()
    assert "sampling" in captured.err
    assert "30/30" in captured.err
    assert captured.out == ""
    assert _same(quiet, shown)


@BOTH
def test_a_hundred_thousand_chains_run(sampler):
    chain = run(sampler, bowl, torch.zeros(100_000, 2), steps=10, rng=generator(), thin=5)
    assert chain.samples.shape == (2, 100_000, 2)
    assert chain.samples.isfinite().all()
    assert (chain.state.y != 0).any(1).float().mean() > 0.99


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_chains_move_in_single(sampler, dtype):
    seen = []

    def u(y: Tensor) -> Tensor:
        seen.append(y.dtype)
        return y.square().sum(1)

    start = torch.ones(4, 2, dtype=dtype)
    chain = run(sampler, u, start, steps=3, rng=generator(), thin=1)
    assert set(seen) == {dtype}
    floats = (*chain.state, chain.samples, chain.energies, chain.acceptance)
    assert {tensor.dtype for tensor in floats} == {torch.float32}


def test_small_steps_are_not_lost_in_half_precision():
    start = torch.full((2, 1), 100.0, dtype=torch.bfloat16)
    sampler = Langevin(1e-3, temperature=0.0)
    chain = run(sampler, lambda y: y.sum(1), start, steps=100, rng=generator())
    torch.testing.assert_close(chain.state.y, torch.full((2, 1), 99.9))
    moved = start
    for _ in range(100):
        moved = moved - 1e-3
    assert torch.equal(moved, start)


@BOTH
def test_going_on_in_half_precision_equals_one_longer_run(sampler):
    seen = []

    def u(y: Tensor) -> Tensor:
        seen.append(y.dtype)
        return y.square().sum(1)

    start, rng = torch.ones(4, 2, dtype=torch.bfloat16), generator(1)
    first = run(sampler, u, start, steps=3, rng=rng)
    second = run(sampler, lambda y: u(y.bfloat16()).float(), first.state, steps=3, rng=rng)
    whole = run(sampler, u, start, steps=6, rng=generator(1))
    assert set(seen) == {torch.bfloat16}
    assert _same(second, whole)


@BOTH
def test_an_energy_cut_off_from_y_has_no_gradient(sampler):
    for silent in (
        lambda y: bowl(y.detach()),
        lambda y: bowl(y.round()).detach(),
        lambda y: torch.ones(len(y), requires_grad=True),
    ):
        with pytest.raises(GradientError, match="carries no gradient"):
            run(sampler, silent, torch.zeros(3, 2), steps=1, rng=generator())
    with pytest.raises(DtypeError, match="int64"):
        run(sampler, bowl, torch.zeros(3, 2, dtype=torch.long), steps=1, rng=generator())


@BOTH
def test_an_energy_must_be_one_number_per_chain(sampler):
    for wrong in (lambda y: bowl(y)[:, None], lambda y: bowl(y).sum(), lambda y: 1.0):
        with pytest.raises(ShapeError, match="one energy per row"):
            run(sampler, wrong, torch.zeros(3, 2), steps=1, rng=generator())
    for empty in (torch.zeros(0, 2), torch.tensor(1.0)):
        with pytest.raises(ShapeError, match="chains"):
            run(sampler, bowl, empty, steps=1, rng=generator())


@BOTH
def test_sampling_leaves_everything_outside_as_it_was(sampler):
    energy, start = MLP(2, hidden=(8,)), torch.randn(5, 2, generator=generator())
    start.requires_grad_()
    copy, numbers = start.detach().clone(), torch.get_rng_state()
    first = run(sampler, energy.given(), start, steps=5, rng=generator())
    kept = State(*(tensor.clone() for tensor in first.state))
    run(sampler, energy.given(), first.state, steps=5, rng=generator(), thin=1)
    assert torch.equal(start, copy)
    assert start.requires_grad
    assert start.grad is None
    assert all(torch.equal(a, b) for a, b in zip(first.state, kept, strict=True))
    assert all(parameter.grad is None for parameter in energy.parameters())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert not first.state.y.requires_grad
    with torch.no_grad():
        blind = run(sampler, energy.given(), start, steps=5, rng=generator())
    assert _same(first, blind)


@BOTH
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_start_without_an_energy_is_named(sampler, bad):
    def u(y: Tensor) -> Tensor:
        return bowl(y) + torch.where(y[:, 0] > 5, bad, 0.0)

    start = f64([[0.0], [1.0], [6.0], [7.0]])
    with pytest.raises(NonFiniteError, match=r"chain 2 .*step 0"):
        run(sampler, u, start, steps=1, rng=generator())
    run(sampler, u, start[:2], steps=1, rng=generator())


@BOTH
def test_a_start_without_a_gradient_is_named(sampler):
    # √0 has no slope.
    with pytest.raises(NonFiniteError, match=r"chain 1 .*gradient"):
        run(sampler, lambda y: y.sqrt().sum(1), f64([[1.0], [0.0]]), steps=1, rng=generator())


@pytest.mark.parametrize("steps", [30, 100, 250])
def test_langevin_that_reaches_nan_names_step_and_chain(steps):
    # Descent on √y from 4 runs below 0, where there is no √.
    start = f64([[400.0], [4.0], [900.0]])
    y, first = 4.0, 0
    while y >= 0:
        y, first = y - 0.5 * 0.5 / math.sqrt(y), first + 1
    assert 5 < first <= 30
    with pytest.raises(NonFiniteError, match=rf"chain 1 at step {first}\b"):
        run(Langevin(0.5, 0.0), lambda y: y.sqrt().sum(1), start, steps=steps, rng=generator())
    chain = run(
        Langevin(0.5, 0.0), lambda y: y.sqrt().sum(1), start, steps=first - 1, rng=generator()
    )
    assert chain.state.y.isfinite().all()


def _slopeless(y: Tensor) -> Tensor:
    """½ y² with an energy everywhere, but no gradient below 0."""
    return (y * (y > 0)).sqrt().sum(1) + bowl(y)


def test_langevin_that_reaches_a_nan_gradient_names_step_and_chain():
    start = f64([[9.0], [0.04], [9.0]])
    # 0.04 - 0.1 · (½ / 0.2 + 0.04) < 0 at once.
    for steps in (1, 2):
        with pytest.raises(NonFiniteError, match="chain 1 at step 1"):
            run(Langevin(0.1, 0.0), _slopeless, start, steps=steps, rng=generator())


def test_mala_rejects_and_counts_proposals_without_energy():
    counted = []

    def u(y: Tensor) -> Tensor:
        energy = root(y) + torch.where(y[:, 0] > 1, torch.inf, 0.0)
        counted.append((~energy.isfinite()).double())
        return energy

    start = root_draws(2000, seed=1)
    start = start[start[:, 0] < 1]
    chain = run(MALA(0.2), u, start, steps=50, rng=generator(2), thin=1)
    bad = torch.stack(counted[1:])
    assert bad.sum() > 100
    assert torch.equal(chain.info.nonfinite, bad.sum(0))
    assert chain.energies.isfinite().all()
    assert ((chain.samples > -1) & (chain.samples <= 1)).all()
    assert (chain.samples[1:] != chain.samples[:-1]).any()
    # A chain whose proposal was not finite has not moved.
    stayed = (chain.samples[1:] == chain.samples[:-1]).all(2)
    assert stayed[bad[1:] > 0].all()


def test_mala_rejects_and_counts_proposals_without_gradient():
    start = f64([[0.5]]).repeat(500, 1)
    chain = run(MALA(0.5), _slopeless, start, steps=20, rng=generator(3), thin=1)
    assert chain.info.nonfinite.sum() > 100
    assert (chain.samples > 0).all()
    assert chain.state.grad.isfinite().all()


def test_a_target_that_is_nan_below_its_edge_keeps_its_mean():
    start = root_draws(10_000, seed=4)
    chain = run(MALA(0.05), root, start, steps=300, rng=generator(5))
    # 4 standard errors of the mean: one false alarm in 16,000 seeds.
    four = 6.4e-5
    assert has_mean(chain.state.y, ROOT_MEAN, ROOT_STD, four)
    assert fits(chain.state.y[:, 0], root_cdf)
    assert chain.info.nonfinite.sum() > 0
    mended = run(
        MALA(0.05),
        lambda y: torch.where(y[:, 0] > -1, root(y.clamp(min=-1 + 1e-12)), y[:, 0].square()),
        start,
        steps=300,
        rng=generator(5),
    )
    assert not has_mean(mended.state.y, ROOT_MEAN, ROOT_STD, four)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [2, 4])
def test_langevin_on_an_energy_unbounded_below_diverges(power, dtype):
    sign = torch.tensor([0.5, 0.5, -0.5], dtype=dtype)
    start = torch.tensor([[0.1], [-0.2], [0.5]], dtype=dtype)
    with pytest.raises(DivergenceError, match=r"chain 2 at step \d+: .*without bound"):
        run(
            Langevin(0.1, 0.01),
            lambda y: sign * y[:, 0] ** power,
            start,
            steps=1000,
            rng=generator(),
        )
    held = run(
        Langevin(0.1, 0.01), lambda y: 0.5 * y[:, 0] ** power, start, steps=1000, rng=generator()
    )
    assert held.state.y.abs().max() < 2


@BOTH
def test_a_slope_that_never_ends_diverges(sampler):
    sampler = dataclasses.replace(sampler, step_size=1e5)
    with pytest.raises(DivergenceError, match="without bound"):
        run(sampler, lambda y: y.sum(1), torch.zeros(3, 2), steps=1000, rng=generator())


@BOTH
def test_an_energy_of_minus_infinity_on_the_way_is_named(sampler):
    def pit(y: Tensor) -> Tensor:
        return bowl(y) + torch.where(y[:, 0] > 1.5, -torch.inf, 0.0)

    with pytest.raises(DivergenceError, match=r"chain \d+ at step \d+.*without bound"):
        run(sampler, pit, torch.zeros(50, 2), steps=150, rng=generator())


def test_a_deep_well_is_no_divergence():
    # From 0 down to -1e5, with energies that single precision still tells apart.
    start = torch.full((3, 1), 2**0.5)
    chain = run(Langevin(1e-6), lambda y: 1e5 * (bowl(y) - 1), start, steps=200, rng=generator())
    assert ((chain.state.energy > -1.001e5) & (chain.state.energy < -0.999e5)).all()


def test_an_offset_changes_nothing_that_is_sampled():
    # At 1e11 float64 resolves 1.5e-5: of 400 × 100 decisions less than one is expected to differ.
    density, start = Gaussian(f64([0.0, 0.0]), COVARIANCE_2), randn(400, 2, seed=1)

    def lifted(y: Tensor) -> Tensor:
        return density(None, y) + 1e11

    for sampler, share in ((Langevin(0.2), 1.0), (MALA(0.2), 0.985)):
        plain = run(sampler, density.given(), start, steps=100, rng=generator(2))
        high = run(sampler, lifted, start, steps=100, rng=generator(2))
        same = (plain.state.y == high.state.y).all(1)
        assert same.double().mean() >= share
        torch.testing.assert_close(
            plain.acceptance[same], high.acceptance[same], rtol=0, atol=1e-5
        )
    # In single precision 1e11 resolves 8192, and every proposal looks level.
    single = run(MALA(0.2), lambda y: bowl(y) + 1e11, start.float(), steps=100, rng=generator(2))
    fine = run(MALA(0.2), bowl, start.float(), steps=100, rng=generator(2))
    assert (single.state.y == fine.state.y).all(1).double().mean() < 0.5


def test_an_offset_keeps_a_law_at_large_steps():
    chain = run(
        MALA(1.5), lambda y: bowl(y) + 1e11, randn(20_000, 1, seed=1), steps=20, rng=generator(2)
    )
    assert has_variance(chain.state.y, 1.0)


@pytest.mark.parametrize("wrong", [0.0, -0.1, math.nan, math.inf])
def test_a_step_size_must_be_positive(wrong):
    for make in (Langevin, MALA, lambda size: Langevin.from_noise(size, 0.1)):
        with pytest.raises(ConfigurationError, match=f"step_size is {wrong}"):
            make(wrong)


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_a_temperature_must_not_be_negative(wrong):
    with pytest.raises(ConfigurationError, match=f"temperature is {wrong}"):
        Langevin(0.1, wrong)
    with pytest.raises(ConfigurationError, match=f"noise is {wrong}"):
        Langevin.from_noise(0.1, wrong)


@BOTH
def test_run_refuses_what_is_no_run(sampler):
    start = torch.zeros(2, 2)
    for options in ({"steps": 0}, {"steps": 3, "thin": -1}):
        with pytest.raises(ConfigurationError, match="steps"):
            run(sampler, bowl, start, rng=generator(), **options)
    with pytest.raises(ConfigurationError, match="rng"):
        run(sampler, bowl, start, steps=1, rng=None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sampler.step_size = 0.5
