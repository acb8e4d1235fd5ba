"""Block Gibbs by colors, against lists of all states.

Chains are independent and each shows one state, so that the judge's false-alarm rate is exact
(`problems.RATE`). Exact draws must keep their law at once; chains from one point must find it.
"""

import dataclasses

import pytest
import torch
from discrete_support import BINARY, LISTED, Listed, binary_states, chi_square, one_hot_states
from problems import F64, RATE, generator, randn

from ebmlab._rows import row_sums
from ebmlab.energies import Hopfield, Ising, Potts
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.samplers import Categorical, Coloring, Gibbs, run
from ebmlab.types import GibbsState, Potential


@dataclasses.dataclass(frozen=True, eq=False)
class AllAtOnce(Coloring):
    """A faulty sweep that draws all colors from one gradient, as if they did not interact."""

    def sweep(self, u, state, noise):
        fresh = self.space.choose(-u.value_and_grad(state.y)[1], *noise)
        return GibbsState(fresh, u(fresh).detach(), state.fields)


@dataclasses.dataclass(frozen=True, eq=False)
class UpsideDown(Coloring):
    """A faulty sweep with the sign of the gradient turned round."""

    def sweep(self, u, state, noise):
        def slope(y):
            energy, grad = u.value_and_grad(y)
            return energy, -grad

        return super().sweep(Potential(u, slope), state, noise)


@pytest.mark.parametrize("name", LISTED)
def test_gibbs_keeps_exact_draws_exact(name):
    model = LISTED[name]()
    start = model.draws(10_000, seed=1)
    assert model.accepts(start)
    wrong = AllAtOnce(model.colors, model.space)
    for sampler, right in ((Gibbs(model.coloring), True), (Gibbs(wrong), False)):
        chain = run(sampler, model.energy.given(), start, steps=3, rng=generator(2))
        assert model.accepts(chain.state.y) == right
        assert (chain.state.y != start).flatten(1).any(1).double().mean() > 0.9
        torch.testing.assert_close(chain.state.energy, model.energy(None, chain.state.y))


@pytest.mark.parametrize("name", LISTED)
def test_gibbs_finds_the_law_from_one_point(name):
    model = LISTED[name]()
    start = model.states[:1].expand(4000, *model.states.shape[1:])
    chain = run(Gibbs(model.coloring), model.energy.given(), start, steps=30, rng=generator(3))
    assert model.accepts(chain.state.y)
    assert torch.equal(chain.acceptance, torch.ones(4000, dtype=F64))
    begun = run(Gibbs(model.coloring), model.energy.given(), start, steps=1, rng=generator(3))
    assert not model.accepts(begun.state.y)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_gibbs_follows_the_potential_to_any_temperature(temperature):
    cold, model = LISTED["ising"](), LISTED["ising"]()
    cold = dataclasses.replace(cold, energy=cold.energy / temperature)
    start = cold.draws(10_000, seed=4)
    chain = run(Gibbs(model.coloring), cold.energy.given(), start, steps=5, rng=generator(5))
    assert cold.accepts(chain.state.y)
    assert not model.accepts(chain.state.y)


SMALL = {
    "ising, 2 x 2": lambda: (
        Ising((2, 2), 0.6, 0.5 * randn(2, 2), periodic=False),
        binary_states(2, 2),
        BINARY,
        None,
    ),
    "ising, ring of 3": lambda: (Ising((1, 3), 0.6, 0.5), binary_states(1, 3), BINARY, None),
    "potts, 1 x 2": lambda: (
        Potts((1, 2), 3, 0.9, randn(1, 2, 3)),
        one_hot_states(1, 2, 3),
        Categorical(),
        None,
    ),
    "hopfield": lambda: (
        Hopfield(randn(4, 4), randn(4, seed=1)),
        binary_states(4),
        BINARY,
        tuple(torch.eye(4).bool()),
    ),
}


def sweep_matrix(model):
    """The product over colors of: the law, where sites of other colors agree, normalized."""
    total, states = torch.eye(len(model.states), dtype=F64), model.states
    for color in model.colors:
        rest = states * ~model.space.over(color)
        same = (rest[:, None] == rest[None]).flatten(2).all(2)
        block = same * model.law
        total = total @ (block / block.sum(1, keepdim=True))
    return total


@pytest.mark.parametrize("name", SMALL)
def test_a_sweep_has_the_transition_probabilities_of_the_conditionals(name):
    energy, states, space, colors = SMALL[name]()
    model = Listed(energy, states, space, colors or energy.colors)
    matrix = sweep_matrix(model)
    torch.testing.assert_close(model.law @ matrix, model.law)
    start = states.repeat_interleave(4000, 0)
    end = run(Gibbs(model.coloring), energy.given(), start, steps=1, rng=generator(6)).state.y
    flawed = Gibbs(UpsideDown(model.colors, space))
    false = run(flawed, energy.given(), start, steps=1, rng=generator(6)).state.y
    seen = []
    for i, row in enumerate(matrix.numpy()):
        block = slice(4000 * i, 4000 * (i + 1))
        assert chi_square(model.counts(end[block]), row) > RATE / len(states)
        seen.append(chi_square(model.counts(false[block]), row) < RATE)
    assert any(seen)


def test_events_of_any_shape_are_swept():
    weights = randn(2, 3, 4)
    colors = (torch.ones(2, 3, 4, dtype=torch.bool),)
    chain = run(
        Gibbs(Coloring(colors)),
        lambda y: row_sums(weights * y),
        torch.zeros(4000, 2, 3, 4, dtype=F64),
        steps=1,
        rng=generator(7),
    )
    p = (-weights).sigmoid()
    z = (chain.state.y.mean(0) - p) / (p * (1 - p) / 4000).sqrt()
    # The largest of 24 normal deviations exceeds 6 at less than one seed in ten million.
    assert z.abs().max() < 6
    number = run(
        Gibbs(Coloring((torch.tensor(True),))),
        lambda y: 0.5 * y,
        torch.zeros(4000),
        steps=1,
        rng=generator(8),
    )
    assert abs(number.state.y.mean() - 0.3775) < 6 * (0.235 / 4000) ** 0.5


def test_sites_that_interact_need_different_colors():
    ising, start = Ising((4, 4), 0.3), torch.zeros(2, 4, 4)
    together = Coloring((torch.ones(4, 4, dtype=torch.bool),))
    with pytest.raises(ConfigurationError, match="not linear in color 0"):
        run(Gibbs(together), ising.given(), start, steps=1, rng=generator())
    right = Coloring(ising.colors)
    with pytest.raises(ConfigurationError, match="not linear"):
        run(Gibbs(right), lambda y: row_sums(y.square()), start, steps=1, rng=generator())
    run(Gibbs(right), ising.given(), start, steps=1, rng=generator())


def test_what_does_not_fit_is_refused():
    ising = Ising((4, 4), 0.3)
    sampler, u, rng = Gibbs(Coloring(ising.colors)), ising.given(), generator()
    with pytest.raises(ConfigurationError, match="holds 0 and 1 only"):
        run(sampler, u, -torch.ones(2, 4, 4), steps=1, rng=rng)
    with pytest.raises(ShapeError, match=r"colors have shape \(4, 4\)"):
        run(sampler, row_sums, torch.zeros(2, 4), steps=1, rng=rng)
    with pytest.raises(ConfigurationError, match="exactly once"):
        Coloring(ising.colors[:1])
    with pytest.raises(ShapeError, match="colors have shapes"):
        Coloring((torch.ones(2, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)))
    with pytest.raises(NonFiniteError, match=r"chain 1 .*step 0"):
        run(
            sampler,
            lambda y: row_sums(y) + torch.tensor([0.0, torch.nan]),
            torch.zeros(2, 4, 4),
            steps=1,
            rng=rng,
        )
