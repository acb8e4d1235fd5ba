"""Gibbs with gradients and discrete Langevin, against lists of all states.

Chains are independent and each shows one state, so that the judge's false-alarm rate is exact
(`problems.RATE`). Exact draws must keep their law at once; chains from one point must find it.
"""

import dataclasses
import math

import pytest
import torch
from discrete_support import LISTED, Listed, binary_states, chi_square, one_hot_states, rough
from problems import F64, RATE, generator, randn

from ebmlab import FunctionEnergy
from ebmlab._rows import row_sums, select
from ebmlab.errors import ConfigurationError, DivergenceError, NonFiniteError, ShapeError
from ebmlab.samplers import (
    Binary,
    Categorical,
    DiscreteLangevin,
    Gibbs,
    GibbsWithGradients,
    Kernel,
    run,
)
from ebmlab.samplers.mala import MetropolisInfo
from ebmlab.types import Potential


@dataclasses.dataclass(frozen=True, eq=False)
class Faulty(Kernel):
    """A kernel around another, to be spoiled."""

    kernel: Kernel
    counted = False

    def draw(self, state, source):
        return self.kernel.draw(state, source)


class Unweighed(Faulty):
    """The test forgets the probabilities of the proposal and of its reverse."""

    def move(self, u, state, noise):
        always = noise._replace(threshold=-torch.ones_like(noise.threshold))
        new, _ = self.kernel.move(u, state, always)
        probability = (state.energy - new.energy).clamp(max=0).exp()
        kept = select(noise.threshold < probability, new, state)
        return kept, MetropolisInfo(probability, torch.zeros_like(probability))


class Uphill(Faulty):
    """Proposals follow the gradient with the wrong sign, there and back."""

    def move(self, u, state, noise):
        def slope(y):
            energy, grad = u.value_and_grad(y)
            return energy, -grad

        turned = state._replace(grad=-state.grad)
        moved, info = self.kernel.move(Potential(u, slope), turned, noise)
        return moved._replace(grad=-moved.grad), info


def kernels(space):
    """name -> (kernel, steps to find the law from one point)."""
    return {
        "gibbs with gradients": (GibbsWithGradients(space), 125),
        "langevin": (DiscreteLangevin(0.5, space=space), 75),
        "langevin, far": (DiscreteLangevin(1.0, space=space), 75),
    }


NAMES = list(kernels(Binary()))
CASES = pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model in LISTED for name in NAMES]
)


@CASES
def test_exact_draws_stay_exact(model, name):
    listed = LISTED[model]()
    kernel, _ = kernels(listed.space)[name]
    start = listed.draws(8000, seed=1)
    chain = run(kernel, listed.energy.given(), start, steps=8, rng=generator(2))
    assert listed.accepts(chain.state.y)
    assert (chain.state.y != start).flatten(1).any(1).double().mean() > 0.8
    assert 0.15 < chain.acceptance.mean() < 0.99
    wrong = run(Unweighed(kernel), listed.energy.given(), start, steps=8, rng=generator(2))
    assert not listed.accepts(wrong.state.y)
    # Followed the wrong way, gradients make proposals that the test refuses.
    uphill = run(Uphill(kernel), listed.energy.given(), start, steps=2, rng=generator(2))
    assert uphill.acceptance.mean() < 0.75 * chain.acceptance.mean()


@CASES
def test_the_law_is_found_from_one_point(model, name):
    listed = LISTED[model]()
    kernel, steps = kernels(listed.space)[name]
    start = listed.states[:1].expand(2500, *listed.states.shape[1:])
    chain = run(kernel, listed.energy.given(), start, steps=steps, rng=generator(3))
    assert listed.accepts(chain.state.y)
    begun = run(kernel, listed.energy.given(), start, steps=steps // 25, rng=generator(3))
    assert not listed.accepts(begun.state.y)


@pytest.mark.parametrize("model", LISTED)
def test_unadjusted_langevin_has_another_law_at_large_steps(model):
    listed = LISTED[model]()
    kernel = DiscreteLangevin(2.0, adjusted=False, space=listed.space)
    start = listed.draws(10_000, seed=1)
    chain = run(kernel, listed.energy.given(), start, steps=12, rng=generator(2))
    assert not listed.accepts(chain.state.y)
    assert torch.equal(chain.acceptance, torch.ones(10_000, dtype=F64))
    torch.testing.assert_close(chain.state.energy, listed.energy(None, chain.state.y))


ENERGY = FunctionEnergy(rough, ("y",), y_ndim=1)
TINY = {
    "binary": Listed(ENERGY, binary_states(3), Binary(), ()),
    "categorical": Listed(
        FunctionEnergy(rough, ("y",), y_ndim=2), one_hot_states(2, 3), Categorical(), ()
    ),
}
STEP = 0.8


def estimates(model):
    """⟨∇f(y), y' - y⟩ and the squared distance for all pairs of states, f = -E."""
    states = model.states.flatten(1)
    y = model.states.clone().requires_grad_()
    (grad,) = torch.autograd.grad(-model.energy(None, y).sum(), y)
    steps = states[None] - states[:, None]
    return (grad.flatten(1)[:, None] * steps).sum(2), steps.square().sum(2)


def one_change(model):
    """Proposals exp(d / 2) over all states that differ in one site."""
    d, far = estimates(model)
    single = far == (1.0 if model.space == Binary() else 2.0)
    return torch.where(single, d / 2, -torch.inf).softmax(1)


def all_sites(model):
    """Proposals exp(d / 2 - far / 2α) over all states at once: sites are independent in it."""
    d, far = estimates(model)
    return (d / 2 - far / (2 * STEP)).softmax(1)


def adjusted(model, proposal):
    """The transitions that the Metropolis test makes of proposals, and the mean acceptance."""
    forth, back = model.law[:, None] * proposal, (model.law[:, None] * proposal).mT
    accepted = proposal * torch.where(forth > 0, (back / forth).clamp(max=1), 0.0)
    return accepted + (1 - accepted.sum(1)).diag(), accepted.sum(1)


TRANSITIONS = {
    "gibbs with gradients": (GibbsWithGradients, lambda m: adjusted(m, one_change(m))),
    "langevin": (
        lambda space: DiscreteLangevin(STEP, space=space),
        lambda m: adjusted(m, all_sites(m)),
    ),
    "langevin, unadjusted": (
        lambda space: DiscreteLangevin(STEP, adjusted=False, space=space),
        lambda m: (all_sites(m), torch.ones(len(m.law), dtype=F64)),
    ),
}


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_one_step_has_the_transition_probabilities_of_the_formula(name, kind):
    model, (make, formula) = TINY[kind], TRANSITIONS[name]
    matrix, acceptance = formula(model)
    flow = model.law[:, None] * matrix
    assert torch.allclose(flow, flow.mT, rtol=1e-10, atol=1e-14) == ("unadjusted" not in name)
    n, kernel = 5000, make(model.space)
    start, u = model.states.repeat_interleave(n, 0), model.energy.given()
    right = run(kernel, u, start, steps=1, rng=generator(4))
    wrong = [run(bad(kernel), u, start, steps=1, rng=generator(4)) for bad in (Unweighed, Uphill)]
    seen = torch.zeros(2, len(matrix), dtype=torch.bool)
    for i, row in enumerate(matrix.detach().numpy()):
        block = slice(n * i, n * (i + 1))
        assert chi_square(model.counts(right.state.y[block]), row) > RATE / len(matrix)
        # Acceptances lie in [0, 1]: Hoeffding's bound at 6 / (2 √n) is below 4e-8.
        assert abs(right.acceptance[block].mean() - acceptance[i]) < 3 / math.sqrt(n)
        for j, chain in enumerate(wrong):
            seen[j, i] = chi_square(model.counts(chain.state.y[block]), row) < RATE
    assert seen.any(1).all()


def test_gradients_that_are_no_differences_do_not_bias():
    model = TINY["binary"]
    y = model.states
    energy, grad = model.energy.given().value_and_grad(y)
    flip = (y[:, 0] - 0.5).sign()[:, None] * torch.eye(3, dtype=F64)[0]
    exact = model.energy(None, y - flip) - energy
    assert (exact + (grad * flip).sum(1)).abs().max() > 0.1
    for kernel in (GibbsWithGradients(), DiscreteLangevin(STEP)):
        start = model.draws(20_000, seed=5)
        chain = run(kernel, model.energy.given(), start, steps=8, rng=generator(6))
        assert chi_square(model.counts(chain.state.y), model.law.numpy()) > RATE


@pytest.mark.parametrize("event", [(), (3,), (1, 2, 2)])
def test_events_of_any_shape_are_sampled(event):
    weights = randn(1, *event, seed=7)[0]

    def linear(y):
        return (weights * y).reshape(*y.shape[: y.ndim - len(event)], -1).sum(-1)

    energy = FunctionEnergy(linear, y_ndim=len(event))
    model = Listed(energy, binary_states(*event), Binary(), ())
    for kernel in (GibbsWithGradients(), DiscreteLangevin(1.0)):
        start = model.draws(10_000, seed=8)
        chain = run(kernel, model.energy.given(), start, steps=5, rng=generator(9))
        assert chi_square(model.counts(chain.state.y), model.law.numpy()) > RATE


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", NAMES)
def test_proposals_without_energy_are_rejected_and_counted(name, bad):
    whole, kernel = LISTED["ising"](), kernels(Binary())[name][0]
    counted = []

    def holed(y):
        energy = whole.energy(None, y)
        energy = torch.where(y.flatten(1).sum(1) > 8, bad, energy)
        counted.append((~energy.isfinite()).double())
        return energy

    allowed = whole.states.flatten(1).sum(1) <= 8
    start = whole.draws(10_000, seed=1)
    start = start[start.flatten(1).sum(1) <= 8]
    chain = run(kernel, holed, start, steps=10, rng=generator(2))
    bads = torch.stack(counted[1:])
    assert bads.sum() > 100
    assert torch.equal(chain.info.nonfinite, bads.sum(0))
    assert chain.state.energy.isfinite().all()
    inside = Listed(whole.energy, whole.states[allowed], Binary(), ())
    assert inside.accepts(chain.state.y)


@pytest.mark.parametrize("name", NAMES)
def test_an_energy_without_a_floor_is_named(name):
    def u(y):
        energy = row_sums(y)
        return torch.where(energy > 1.5, -torch.inf, energy)

    kernel = kernels(Binary())[name][0]
    with pytest.raises((NonFiniteError, DivergenceError), match="chain"):
        run(kernel, u, torch.zeros(20, 4, dtype=F64), steps=100, rng=generator())


def test_an_unadjusted_chain_that_leaves_the_numbers_is_named():
    def u(y):
        return torch.where(row_sums(y) > 1.5, torch.nan, row_sums(y))

    kernel = DiscreteLangevin(1.0, adjusted=False)
    with pytest.raises(NonFiniteError, match="at step"):
        run(kernel, u, torch.zeros(20, 4, dtype=F64), steps=100, rng=generator())


def test_a_start_outside_the_space_is_refused():
    u, rng = row_sums, generator()
    for make in (GibbsWithGradients, lambda space: DiscreteLangevin(0.5, space=space)):
        for start in (-torch.ones(2, 3), torch.full((2, 3), 0.5), torch.full((2, 3), math.nan)):
            with pytest.raises(ConfigurationError, match="holds 0 and 1 only"):
                run(make(Binary()), u, start, steps=1, rng=rng)
        for start in (torch.ones(2, 3), torch.zeros(2, 3), torch.full((2, 2), 0.5)):
            with pytest.raises(ConfigurationError, match="one-hot"):
                run(make(Categorical()), u, start, steps=1, rng=rng)
        for start in (torch.ones(2), torch.ones(2, 1)):
            with pytest.raises(ShapeError, match=r"\(chains, \*sites, k\)"):
                run(make(Categorical()), u, start, steps=1, rng=rng)


@pytest.mark.slow
@pytest.mark.parametrize("model", LISTED)
@pytest.mark.parametrize("name", ["gibbs", *NAMES[:2]])
def test_compiled_chains_are_the_same(name, model):
    listed = LISTED[model]()
    kernel = Gibbs(listed.coloring) if name == "gibbs" else kernels(listed.space)[name][0]
    start, u = listed.draws(50, seed=1), listed.energy.given()
    plain = run(kernel, u, start, steps=7, rng=generator(2), thin=1)
    fast = run(kernel, u, start, steps=7, rng=generator(2), thin=1, compile=True)
    assert torch.equal(fast.samples, plain.samples)
    torch.testing.assert_close(fast.energies, plain.energies)
