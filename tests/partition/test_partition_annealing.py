"""Annealing: any kernel, walls, offsets, and what it refuses."""

import dataclasses
import math

import pytest
import torch
from discrete_support import binary_states
from partition_support import meets, target, wide
from problems import COVARIANCE_2, F64, PLANE, f64, generator, randn

from ebmlab.energies import Bernoulli, Gaussian, Ising, Uniform
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.partition import ais, enumerate_states, reverse_ais
from ebmlab.samplers import HMC, MALA, NUTS, Coloring, Gibbs, GibbsWithGradients
from ebmlab.types import Potential

TWO = f64([0.0, 1.0])


def even(steps):
    return torch.linspace(0, 1, steps + 1, dtype=F64)


def test_one_step_is_importance_sampling():
    start, density = wide(3.0), PLANE["gaussian"].density
    u = density.given()
    y = start.sample(50, generator(1))
    forth = ais(u, start, MALA(0.1), times=TWO, chains=50, rng=generator(1))
    torch.testing.assert_close(forth.log_weights, start.log_z + start(None, y) - density(None, y))
    y = density.sample(50, generator(2))
    back = reverse_ais(u, y, start, MALA(0.1), times=TWO, rng=generator(2))
    torch.testing.assert_close(back.log_weights, -start.log_z + u(y) - start(None, y))


def test_the_weights_of_two_steps_are_written_out():
    start, u = wide(3.0), PLANE["gaussian"].density.given()
    rng = generator(1)
    y = start.sample(20, rng)
    between = Potential(lambda y: 0.7 * start(None, y) + 0.3 * u(y))
    moved, _ = MALA(0.1).step(between, MALA(0.1).init(between, y, rng), rng)
    due = start(None, y) - between(y) + between(moved.y) - u(moved.y) + start.log_z
    got = ais(u, start, MALA(0.1), times=f64([0.0, 0.3, 1.0]), chains=20, rng=generator(1))
    torch.testing.assert_close(got.log_weights, due)


def test_nothing_is_estimated_where_start_and_target_agree():
    start = Gaussian(f64([1.0, 2.0]), COVARIANCE_2)
    estimate = ais(start.given(), start, MALA(0.5), times=even(9), chains=9, rng=generator())
    torch.testing.assert_close(estimate.log_z, start.log_z)
    assert float(estimate.standard_error) < 1e-12
    assert float(estimate.effective_sample_size) == pytest.approx(9)


KERNELS = {
    "HMC": HMC(0.3, 3, jitter=0.3),
    "NUTS": NUTS(0.4),
    "of the time": lambda t: MALA(0.2 + 0.6 * (1 - t)),
}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_any_invariant_kernel_will_do(kernel):
    case = dataclasses.replace(target("gaussian"), kernel=kernel, steps=12)
    for estimate in (case.forward(600, 3), case.backward(600, 4)):
        assert meets(estimate, case.log_z)
        assert not meets(estimate, case.log_z + 0.5)


def lattice():
    ising = Ising((3, 4), 0.35, 0.3 * randn(3, 4)).double()
    colors = tuple(color.flatten() for color in ising.colors)
    return Potential(lambda y: ising(None, y.reshape(-1, 3, 4))), Gibbs(Coloring(colors))


def test_discrete_kernels_go_along_a_path_of_energies():
    u, gibbs = lattice()
    exact = float(enumerate_states(u, torch.zeros(12, dtype=F64)).log_z)
    start, states = Bernoulli(torch.zeros(12, dtype=F64)), binary_states(12)
    law = (-u(states)).softmax(0)
    draws = states[torch.multinomial(law, 500, replacement=True, generator=generator(1))]
    for kernel in (gibbs, GibbsWithGradients()):
        forth = ais(u, start, kernel, times=even(20), chains=500, rng=generator(2), moves=2)
        back = reverse_ais(u, draws, start, kernel, times=even(20), rng=generator(3), moves=2)
        for estimate in (forth, back):
            assert meets(estimate, exact)
            assert not meets(estimate, exact + 0.5)


def test_more_moves_give_a_smaller_error():
    case = target("mixture")
    few, many = (
        dataclasses.replace(case, options={"moves": moves}).forward(2000, 1, 12)
        for moves in (1, 8)
    )
    assert meets(many, case.log_z)
    assert many.standard_error < 0.8 * few.standard_error


def test_chains_behind_a_wall_have_weight_zero():
    box = Uniform(f64([-1.0, -0.5]), f64([1.0, 1.5]))
    estimate = ais(box.given(), wide(1.0), MALA(0.2), times=even(8), chains=4000, rng=generator())
    assert 0.2 < float(estimate.log_weights.isneginf().double().mean()) < 0.8
    assert meets(estimate, math.log(4))
    far = Uniform(f64([50.0, 50.0]), f64([51.0, 51.0]))
    with pytest.raises(NonFiniteError, match="cover the target"):
        ais(far.given(), wide(1.0), MALA(0.2), times=even(8), chains=9, rng=generator())


def test_energies_that_are_not_numbers_are_named():
    for wrong in (math.nan, -math.inf):

        def u(y, wrong=wrong):
            return torch.where(y[:, 0] > 0, wrong, y.square().sum(-1))

        with pytest.raises(NonFiniteError, match="log of the mean weight"):
            ais(u, wide(1.0), MALA(0.1), times=even(4), chains=20, rng=generator())


def test_an_offset_of_the_energy_is_an_offset_of_log_z():
    case = target("gaussian")
    raised = dataclasses.replace(case, u=Potential(lambda y: case.u(y) + 300.0))
    torch.testing.assert_close(raised.forward(50, 1).log_z + 300, case.forward(50, 1).log_z)


def test_single_precision_chains_have_double_precision_weights():
    start = Gaussian(torch.zeros(2), torch.eye(2))
    u = PLANE["shallow well"].density.given()
    estimate = ais(u, start, MALA(0.2), times=even(20), chains=2000, rng=generator())
    assert estimate.log_weights.dtype == F64
    assert meets(estimate, float(PLANE["shallow well"].density.log_z))


def test_nothing_of_the_callers_is_changed():
    case = target("machine")
    draws = case.draw(5, generator())
    before, world = draws.clone(), torch.get_rng_state()
    start, kernel, rng = case.start, case.kernel, generator(1)
    args = {"times": case.times(5), "rng": rng, **case.options}
    one = reverse_ais(case.u, draws, start, kernel, **args)
    assert torch.equal(draws, before)
    assert torch.equal(torch.get_rng_state(), world)
    assert not one.log_weights.requires_grad
    again = reverse_ais(case.u, draws, start, kernel, **(args | {"rng": generator(1)}))
    assert torch.equal(one.log_weights, again.log_weights)
    other = reverse_ais(case.u, draws, start, kernel, **args)
    assert not torch.equal(one.log_weights, other.log_weights)


def test_bad_arguments_are_refused():
    u, start = PLANE["gaussian"].density.given(), wide(2.0)

    def go(times=TWO, chains=5, moves=1, rng=generator()):  # noqa: B008
        ais(u, start, MALA(0.1), times=times, chains=chains, moves=moves, rng=rng)

    for wrong in ([0.0, 0.5], [0.5, 1.0], [0.0, 0.6, 0.4, 1.0], [0.0, 0.5, 0.5, 1.0]):
        with pytest.raises(ConfigurationError, match="rise from 0 to 1"):
            go(times=f64(wrong))
    with pytest.raises(ShapeError, match="k >= 2"):
        go(times=f64([1.0]))
    with pytest.raises(ConfigurationError, match="moves is 0"):
        go(moves=0)
    with pytest.raises(ShapeError, match="two or more"):
        go(chains=1)
    with pytest.raises(ConfigurationError, match="pass rng"):
        reverse_ais(u, start.sample(3, generator()), start, MALA(0.1), times=TWO, rng=None)
