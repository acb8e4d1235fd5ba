"""What z shares with factors, against sums over a small joint table."""

import math

import pytest
import torch
from problems import F64, f64, generator, latent, randn
from torch.nn.functional import one_hot

from ebmlab import FreeEnergy
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.inference import AmortizedCategorical, Descent, Enumerate
from ebmlab.metrics import adjusted_rand, assignments, code_use, mutual_information

# Counts of (z, factor) in each of two groups: the table is the data, so that sums are exact.
TABLE = torch.tensor([[[6, 1, 3], [2, 7, 1]], [[1, 5, 4], [8, 1, 1]]])


def rows():
    """(group, z, factor) of each of the counted rows."""
    cells = TABLE.nonzero()
    return cells.repeat_interleave(TABLE[tuple(cells.T)], 0).unbind(1)


def by_hand(joint):
    joint = joint.double() / joint.sum()
    apart = joint.sum(0, keepdim=True) * joint.sum(1, keepdim=True)
    return float((joint * (joint / apart).log()).sum())


def test_information_is_the_sum_over_the_table_and_symmetric():
    group, z, factor = rows()
    exact = by_hand(TABLE.sum(0))
    for a, b in ((z, factor), (factor, z), (3 - 2 * z, factor), (one_hot(z).double(), factor)):
        found = mutual_information(a, b, rng=generator())
        assert found.nats == pytest.approx(exact, abs=1e-12)
        assert found.n == len(group)
    share = TABLE.sum((0, 1)).double() / TABLE.sum()
    found = mutual_information(z, factor, rng=generator())
    assert found.entropy == pytest.approx(float(-(share * share.log()).sum()))
    joint = TABLE.sum(0).double() / TABLE.sum()
    each = (joint / joint.sum(0) / joint.sum(1, keepdim=True)).log()[z, factor]
    assert found.error == pytest.approx(float(each.std()) / len(z) ** 0.5)


def test_information_given_a_group_is_the_mean_over_groups():
    group, z, factor = rows()
    sizes = TABLE.sum((1, 2)).double()
    exact = float((sizes * f64([by_hand(part) for part in TABLE])).sum() / sizes.sum())
    found = mutual_information(z, factor, given=group, rng=generator())
    assert found.nats == pytest.approx(exact, abs=1e-12)
    assert found.nats > 2 * by_hand(TABLE.sum(0))
    alone = mutual_information(z, factor, given=torch.arange(len(z)), rng=generator())
    assert (alone.nats, alone.entropy) == (0, 0)


def test_posteriors_that_are_spread_tell_what_their_draws_tell():
    q, factor = randn(4000, 3).softmax(1), torch.arange(4000) % 2
    q = (q.log() + 0.5 * one_hot(factor, 3)).softmax(1)
    joint = torch.stack([q[factor == f].sum(0) for f in range(2)], 1)
    found = mutual_information(q, factor, rng=generator())
    assert found.nats == pytest.approx(by_hand(joint), abs=1e-12)
    assert mutual_information(q.argmax(1), factor, rng=generator()).nats > found.nats


@pytest.mark.parametrize("groups", [1, 5])
def test_the_shuffled_control_is_the_bias_of_chance(groups):
    # (K - 1)(F - 1) / 2n in each group; the mean of 400 shuffles, 2n I ~ χ²(6), is within 6 σ of
    # it up to terms of the next order, here 2 %.
    rng = generator(1)
    z, factor, group = (torch.randint(k, (1500,), generator=rng) for k in (3, 4, groups))
    found = mutual_information(z, factor, given=group, rng=rng, shuffles=400)
    due = groups * 6 / (2 * 1500)
    sigma = math.sqrt(12 * groups) / (2 * 1500)
    assert abs(found.shuffled - due) < 6 * sigma / 20 + 0.02 * due
    assert abs(found.nats - due) < 6 * sigma
    told = mutual_information(factor, factor, given=group, rng=rng, shuffles=2)
    assert told.nats == pytest.approx(told.entropy)
    assert told.shuffled < 0.05


def test_the_adjusted_rand_index_knows_no_names_and_takes_posteriors():
    _, z, factor = rows()
    index = adjusted_rand(z, factor)
    assert adjusted_rand(7 - z, factor) == pytest.approx(index)
    assert adjusted_rand(one_hot(z).double() * 0.2 + 0.4, factor) == pytest.approx(index)
    assert adjusted_rand(factor, factor + 3) == 1
    chance = torch.randint(3, (5000,), generator=generator())
    assert abs(adjusted_rand(chance, torch.arange(5000) % 3)) < 0.01


def test_what_the_free_energy_pays_is_information_and_what_all_data_share():
    q, prior = randn(50, 4).softmax(1), f64([0.1, 0.2, 0.3, 0.4])
    found, mean = code_use(q, 3 * prior), q.mean(0)
    assert found.kl == pytest.approx(float((q * (q / prior).log()).sum(1).mean()))
    assert found.information == pytest.approx(float((q * (q / mean).log()).sum(1).mean()))
    assert found.marginal == pytest.approx(float((mean * (mean / prior).log()).sum()))
    assert found.kl == pytest.approx(found.information + found.marginal)
    assert found.perplexity == pytest.approx(math.exp(found.entropy))
    dead = code_use(one_hot(torch.zeros(9, dtype=torch.int64), 4).double())
    assert (dead.information, dead.perplexity) == (0, 1)
    assert dead.kl == pytest.approx(math.log(4))


CODES = f64([[-1.0], [0.0], [2.0]])
Y = randn(6, 1, seed=2)
COSTS = (Y - CODES.T).square()


@pytest.mark.parametrize("weights", [None, f64([0.2, 0.5, 0.3])])
def test_assignments_are_the_posterior_in_the_order_of_the_codes(weights):
    energy = latent(lambda y, z: (y - z).square().sum(-1))
    infer = Enumerate(CODES, weights)
    order = [0, 1, 2] if weights is None else [1, 2, 0]
    prior = f64([1.0, 1.0, 1.0]) if weights is None else weights
    exact = (-COSTS / 0.7 + prior.log()).softmax(1)[:, order]
    torch.testing.assert_close(assignments(FreeEnergy(energy, infer, 0.7), None, Y), exact)
    sharp = assignments(FreeEnergy(energy, infer), None, Y)
    assert sharp.argmax(1).equal(COSTS[:, order].argmin(1))
    assert sharp.sum(1).tolist() == [1] * 6


def test_assignments_of_an_encoder_are_its_draws():
    logits = torch.nn.Linear(1, 3).double()
    energy = latent(lambda y, z: (y - z).square().sum(-1))
    free = FreeEnergy(energy, AmortizedCategorical(logits, samples=4000), 1.0)
    q = assignments(free, None, Y, generator())
    # Each share is within 6 σ: 18 shares, σ <= 0.5 / √4000.
    torch.testing.assert_close(q, logits(Y).softmax(1).detach(), atol=0.048, rtol=0)
    with pytest.raises(ConfigurationError, match="not one-hot"):
        assignments(FreeEnergy(energy, Descent(CODES[:1], step_size=0.1, steps=2)), None, Y)


def test_what_does_not_fit_is_refused_by_name():
    z, rng = torch.arange(4), generator()
    for bad, error, said in (
        (lambda: mutual_information(z, z[:3], rng=rng), ShapeError, "factor has shape"),
        (lambda: mutual_information(z, z, given=z[:3], rng=rng), ShapeError, "given has shape"),
        (lambda: mutual_information(z.double(), z, rng=rng), DtypeError, "z has dtype"),
        (lambda: mutual_information(z, z.double(), rng=rng), DtypeError, "factor has dtype"),
        (lambda: mutual_information(randn(4, 2), z, rng=rng), ConfigurationError, "a sum of 1"),
        (lambda: code_use(torch.eye(2, dtype=F64), f64([1.0])), ShapeError, "prior"),
        (lambda: code_use(torch.ones(2, 2)), ConfigurationError, "a sum of 1"),
    ):
        with pytest.raises(error, match=said):
            bad()
