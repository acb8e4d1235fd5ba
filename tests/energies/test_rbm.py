"""The restricted Boltzmann machine against sums over all its states."""

import math

import pytest
import torch
from discrete_support import BINARY, Listed, binary_states, chi_square
from problems import F64, RATE, generator, randn

from ebmlab.energies import RBM
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Enumerate
from ebmlab.samplers import Gibbs, GibbsWithGradients, run


def machine(visible=6, hidden=4, size=1.0, seed=0):
    rbm = RBM(visible, hidden).double()
    with torch.no_grad():
        for i, parameter in enumerate(rbm.parameters()):
            parameter.copy_(size * randn(*parameter.shape, seed=seed + i))
    return rbm


def table(rbm):
    """E(v, h) of all pairs, written out."""
    w, b, c = rbm.weights, rbm.visible_bias, rbm.hidden_bias
    v, h = binary_states(len(b)), binary_states(len(c))
    return -(v @ b)[:, None] - (h @ c)[None] - torch.einsum("ai,ij,bj->ab", v, w, h)


def test_the_joint_energy_is_bilinear():
    rbm = machine()
    v, h = binary_states(6), binary_states(4)
    torch.testing.assert_close(rbm.joint()(None, v[:, None], h[None]), table(rbm))


def test_the_hidden_units_are_summed_out_and_so_are_the_visible():
    rbm = machine()
    joint = table(rbm)
    torch.testing.assert_close(rbm(None, binary_states(6)), -(-joint).logsumexp(1))
    torch.testing.assert_close(rbm.hidden_energy(binary_states(4)), -(-joint).logsumexp(0))


def test_gradients_in_parameters_are_those_of_the_sum():
    rbm = machine()
    parameters = list(rbm.parameters())
    weights = randn(64, seed=9)
    got = torch.autograd.grad(weights @ rbm(None, binary_states(6)), parameters)
    due = torch.autograd.grad(weights @ -(-table(rbm)).logsumexp(1), parameters)
    torch.testing.assert_close(got, due)


def test_large_logits_stay_exact():
    rbm = machine(size=12.0)
    torch.testing.assert_close(
        rbm(None, binary_states(6)), -(-table(rbm)).logsumexp(1), rtol=1e-14, atol=1e-12
    )


def test_log_z_is_a_sum_over_the_smaller_side():
    rbm = machine(10, 3)
    full = (-rbm(None, binary_states(10))).logsumexp(0)
    torch.testing.assert_close((-rbm.hidden_energy(binary_states(3))).logsumexp(0), full)
    zero = machine(10, 3, size=0.0)
    log_z = float((-zero.hidden_energy(binary_states(3))).logsumexp(0).detach())
    assert log_z == pytest.approx(13 * math.log(2))


def test_the_closed_form_counts_states_where_a_prior_would_weigh_them():
    rbm = machine()
    free = FreeEnergy(rbm.joint(), Enumerate(binary_states(4)), 1.0)
    v = binary_states(6)
    torch.testing.assert_close(free(None, v), rbm(None, v) + 4 * math.log(2))


def test_conditionals_are_those_of_the_joint_law():
    rbm = machine()
    joint = (-table(rbm)).flatten().softmax(0).reshape(64, 16)
    given_v = joint / joint.sum(1, keepdim=True)
    given_h = joint / joint.sum(0, keepdim=True)
    v, h = binary_states(6), binary_states(4)
    torch.testing.assert_close(rbm.hidden_logits(v).sigmoid(), given_v @ h)
    torch.testing.assert_close(rbm.visible_logits(h).sigmoid(), given_h.mT @ v)


def test_the_machine_at_a_temperature_divides_before_the_sum():
    rbm = machine()
    cold = rbm.at(0.5)
    v = binary_states(6)
    due = -(-table(rbm) / 0.5).logsumexp(1)
    torch.testing.assert_close(cold(None, v), due)
    assert ((rbm / 0.5)(None, v) - due).abs().max() > 0.1
    assert all(p.dtype == F64 for p in cold.parameters())


def listed(rbm):
    return Listed(rbm, binary_states(6), BINARY, ())


def test_block_gibbs_keeps_and_finds_the_law():
    model = listed(machine())
    sampler, u = Gibbs(model.energy.conditionals()), model.energy.given()
    for start, steps in ((model.draws(20_000, 1), 3), (torch.zeros(20_000, 6, dtype=F64), 60)):
        chain = run(sampler, u, start, steps=steps, rng=generator(2))
        assert model.accepts(chain.state.y)
        torch.testing.assert_close(chain.state.energy, u(chain.state.y).detach())
        assert torch.equal(chain.acceptance, torch.ones(20_000, dtype=F64))
    # The judge tells this machine from its neighbors, and a chain that has only begun.
    assert not listed(machine().at(0.9)).accepts(chain.state.y)
    begun = run(sampler, u, torch.zeros(20_000, 6, dtype=F64), steps=1, rng=generator(2))
    assert not model.accepts(begun.state.y)


def test_one_sweep_has_the_transition_probabilities_of_the_two_blocks():
    rbm = machine(3, 2)
    joint = (-table(rbm)).flatten().softmax(0).reshape(8, 4)
    transition = (joint / joint.sum(1, keepdim=True)) @ (joint / joint.sum(0, keepdim=True)).mT
    law = joint.sum(1)
    torch.testing.assert_close(law @ transition, law)
    start = binary_states(3)
    for i in range(8):
        y = start[i].expand(20_000, 3)
        chain = run(Gibbs(rbm.conditionals()), rbm.given(), y, steps=1, rng=generator(i))
        counts = Listed(rbm, start, BINARY, ()).counts(chain.state.y)
        assert chi_square(counts, transition[i].detach().numpy()) > RATE / 8
        assert chi_square(counts, transition[i - 1].detach().numpy()) < RATE


def test_gibbs_with_gradients_samples_the_free_energy():
    model = listed(machine())
    start = torch.zeros(5000, 6, dtype=F64)
    chain = run(GibbsWithGradients(), model.energy.given(), start, steps=150, rng=generator(2))
    assert model.accepts(chain.state.y)


def test_conditionals_of_another_potential_are_refused():
    rbm = machine()
    start, rng = torch.zeros(1, 6, dtype=F64), generator()
    sampler = Gibbs(rbm.conditionals())
    for other in ((rbm / 0.5).given(), rbm.at(0.5).given(), machine(seed=5).given()):
        with pytest.raises(ConfigurationError, match=r"rbm.at\(T\)"):
            run(sampler, other, start, steps=1, rng=rng)
    run(sampler, lambda y: rbm(None, y) + 1e3, start, steps=1, rng=rng)
    with pytest.raises(ConfigurationError, match="0 and 1"):
        run(sampler, rbm.given(), start + 0.5, steps=1, rng=rng)


def test_what_is_no_machine_is_refused():
    with pytest.raises(ConfigurationError, match="visible is 0"):
        RBM(0, 3)
    with pytest.raises(ConfigurationError, match="std is 0"):
        RBM(2, 3, std=0.0)
    with pytest.raises(ConfigurationError, match="temperature is -1"):
        RBM(2, 3).at(-1.0)
    rbm = RBM(2, 3)
    with pytest.raises(ShapeError, match=r"\(\*batch, 2\)"):
        rbm(None, torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\)"):
        rbm.hidden_energy(torch.zeros(4, 2))
    with pytest.raises(ShapeError, match="z has shape"):
        rbm.joint()(None, torch.zeros(4, 2), torch.zeros(4, 2))


def test_weights_start_from_the_generator():
    one, two = (RBM(5, 4, rng=generator(seed)).weights for seed in (1, 2))
    assert torch.equal(one, RBM(5, 4, rng=generator(1)).weights)
    assert not torch.equal(one, two)
    assert 0.003 < one.std() < 0.03
