"""The path of RBMs against machines built at each of its points."""

import pytest
import torch
from discrete_support import BINARY, Listed, binary_states
from partition_support import machine, meets, target
from problems import F64, f64, generator, randn

from ebmlab.energies import RBM, Bernoulli
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.partition import RBMPath, ais, rbm_log_z
from ebmlab.samplers import GibbsWithGradients, run

RATES = f64([0.5, -1.0, 0.2, 2.0, 0.0, -0.3])


def path():
    return RBMPath(machine(6, 4, size=1.0), Bernoulli(RATES))


def built(t):
    """The RBM at t with parameters of its own."""
    ours, rbm = RBM(6, 4).double(), path().rbm
    with torch.no_grad():
        ours.weights.copy_(t * rbm.weights)
        ours.hidden_bias.copy_(t * rbm.hidden_bias)
        ours.visible_bias.copy_((1 - t) * RATES + t * rbm.visible_bias)
    return ours


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_path_is_the_free_energy_of_the_machine_between(t):
    v = binary_states(6)
    torch.testing.assert_close(path().at(t)(v), built(t)(None, v))
    assert (path().at(t)(v) - built(t + 0.1)(None, v)).abs().max() > 0.01


@pytest.mark.parametrize("t", [0.3, 1.0])
def test_its_kernel_samples_the_machine_between(t):
    rest = Listed(built(t), binary_states(6), BINARY, ())
    wrong = Listed(built(t - 0.2), binary_states(6), BINARY, ())
    start = torch.zeros(20_000, 6, dtype=F64)
    chain = run(path().kernel(t), path().at(t), start, steps=40, rng=generator(1))
    assert rest.accepts(chain.state.y)
    assert not wrong.accepts(chain.state.y)


def test_another_start_and_another_kernel_give_the_same_log_z():
    rbm = machine(10, 5)
    exact = float(rbm_log_z(rbm).log_z)
    fair, times = Bernoulli(torch.zeros(10, dtype=F64)), torch.linspace(0, 1, 31, dtype=F64)
    ours = RBMPath(rbm, fair)
    u, options = rbm.given(), {"times": times, "chains": 800}
    blocks = ais(u, fair, ours.kernel, between=ours.at, rng=generator(1), **options)
    straight = ais(u, fair, GibbsWithGradients(), moves=5, rng=generator(2), **options)
    for estimate in (blocks, straight):
        assert meets(estimate, exact)
        assert not meets(estimate, exact + 0.5)


def test_a_start_of_another_length_and_a_mixed_up_path_are_refused():
    with pytest.raises(ShapeError, match="the start has 3 units, the RBM 6"):
        RBMPath(machine(6, 4), Bernoulli(torch.zeros(3, dtype=F64)))
    case, times = target("machine"), torch.linspace(0, 1, 4, dtype=F64)
    other = Bernoulli(randn(24, seed=5))
    with pytest.raises(ConfigurationError, match="not this machine's"):
        ais(case.u, other, case.kernel, times=times, chains=5, rng=generator(), **case.options)
    with pytest.raises(ConfigurationError, match="0 and 1"):
        run(path().kernel(1.0), path().at(1.0), torch.ones(2, 6) / 2, steps=1, rng=generator())
