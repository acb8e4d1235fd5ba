"""Tokens at sites: formulas by loops, laws by listing all texts."""

import math

import pytest
import torch
from problems import F64, generator, randn
from torch import nn

from ebmlab.energies import Categorical, Frequencies, InnerProduct, Normalized, PseudoEnergy
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.networks import Transformer

K, LENGTH = 3, 4
ALL = torch.cartesian_prod(*[torch.arange(K)] * LENGTH)


def transformer(**options):
    torch.manual_seed(0)
    made = Transformer(K, LENGTH, dim=4, depth=1, heads=2, **options).double()
    for parameter in made.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, dtype=F64)
    return made


MASKED = Categorical(transformer(), y_ndim=1, hidden=K)
X = torch.tensor([[3, 1, 3, 2], [0, 3, 3, 3], [2, 2, 1, 0]])


def test_one_token_costs_minus_its_logit():
    f = nn.Linear(2, K).double()
    energy, x, y = Categorical(f), randn(5, 2), torch.tensor([0, 2, 1, 1, 0])
    due = torch.stack([-f(x)[i, y[i]] for i in range(5)])
    torch.testing.assert_close(energy(x, y), due)
    torch.testing.assert_close(energy.at_each(x, torch.tensor([2, 0])), -f(x)[:, [2, 0]])
    torch.testing.assert_close(energy.probabilities(x), f(x).softmax(1))
    assert energy.at_each(x[None], torch.arange(K)).shape == (1, 5, K)


def test_a_text_costs_the_sum_over_its_sites():
    f = transformer(causal=True)
    energy, x, y = Categorical(f, y_ndim=1), ALL[:6], ALL[-6:]
    due = [-sum(f(x)[i, s, y[i, s]] for s in range(LENGTH)) for i in range(6)]
    torch.testing.assert_close(energy(x, y), torch.stack(due))
    torch.testing.assert_close(energy.at_each(x, torch.arange(K)), -f(x))
    torch.testing.assert_close(energy.at_each(x, ALL), energy(x[:, None], ALL[None]))


def test_texts_that_disagree_with_what_is_shown_are_impossible_and_the_rest_a_product():
    law = (-MASKED.at_each(X, ALL)).softmax(1).detach()
    p, f = MASKED.probabilities(X).detach(), MASKED.network(X).detach()
    for i, x in enumerate(X):
        for y, got in zip(ALL, law[i], strict=True):
            shown = x != K
            due = math.prod(float(f[i, s].softmax(0)[y[s]]) for s in range(LENGTH) if x[s] == K)
            agrees = torch.equal(x[shown], y[shown])
            torch.testing.assert_close(got, torch.tensor(due * agrees, dtype=F64))
            each = math.prod(float(p[i, s, y[s]]) for s in range(LENGTH))
            torch.testing.assert_close(got, torch.tensor(each, dtype=F64))
    assert MASKED(X[2], ALL[(X[2] == ALL).all(1)]) == 0


def test_conditionals_hide_their_site_alone():
    y = ALL[::7]
    logits = MASKED.conditional(y, 1)
    x = y.clone()
    x[:, 1] = K
    torch.testing.assert_close(logits, MASKED.network(x)[:, 1])
    other = y.clone()
    other[:, 1] = (other[:, 1] + 1) % K
    torch.testing.assert_close(MASKED.conditional(other, 1), logits)


def test_a_pseudo_energy_adds_what_each_token_costs_given_all_others():
    energy, due = PseudoEnergy(MASKED), torch.zeros(len(ALL), dtype=F64)
    for s in range(LENGTH):
        log_p = MASKED.conditional(ALL, s).log_softmax(1)
        due -= log_p.gather(1, ALL[:, s : s + 1]).squeeze(1)
    torch.testing.assert_close(energy(None, ALL), due)
    torch.testing.assert_close(energy(None, ALL[:8].reshape(2, 4, -1)), due[:8].reshape(2, 4))


def test_a_normalized_energy_is_minus_the_log_of_p():
    one = Categorical(nn.Linear(2, K).double())
    x, tokens = randn(5, 2), torch.arange(K)
    p = (-Normalized(one, tokens)(x[:, None], tokens[None])).exp()
    torch.testing.assert_close(p, one.probabilities(x))
    passes: list[int] = []
    one.network.register_forward_hook(lambda *_: passes.append(1))
    torch.testing.assert_close((-Normalized(one, tokens).at_each(x, tokens)).exp(), p)
    assert len(passes) == 1


def test_log_z_of_independent_sites_is_a_sum_over_them():
    few, whole = Normalized(MASKED, torch.arange(K)), Normalized(MASKED, ALL)
    torch.testing.assert_close(few.log_z(X), whole.log_z(X))
    torch.testing.assert_close(few(X[:, None], ALL[None]), whole(X[:, None], ALL[None]))
    torch.testing.assert_close(few.at_each(X, ALL), whole.at_each(X, ALL))
    total = (-few.at_each(X, ALL)).exp().sum(1)
    torch.testing.assert_close(total, torch.ones(3, dtype=F64))
    assert not torch.allclose((-MASKED.at_each(X, ALL)).exp().sum(1), total)
    log_p = -few.at_each(X, torch.arange(K))
    torch.testing.assert_close(log_p.exp(), MASKED.probabilities(X))


@pytest.mark.parametrize("power", [1.0, 0.75, 0.0])
def test_frequencies_are_powers_of_counts(power):
    counts = torch.tensor([5, 0, 1, 10])
    noise = Frequencies(counts, power).double()
    weights = torch.where(counts > 0, counts.double() ** power, 0.0)
    law = weights / weights.sum()
    torch.testing.assert_close((-noise(None, torch.arange(4))).exp(), law, rtol=1e-6, atol=0)
    assert noise.log_z == 0
    drawn = noise.sample(20_000, generator()).bincount(minlength=4) / 20_000
    # Five standard errors of four shares: one seed in 400,000 fails.
    assert bool(((drawn - law).abs() <= 5 * (law * (1 - law) / 20_000).sqrt()).all())


def test_an_inner_product_is_one():
    x, y = randn(4, 3), randn(4, 3, seed=1)
    torch.testing.assert_close(InnerProduct()(x, y), -torch.stack([*map(torch.dot, x, y)]))


def test_what_does_not_fit_is_told():
    text = Categorical(transformer(), y_ndim=1)
    for error, call, told in (
        (ConfigurationError, lambda: text(ALL[:2], ALL[:2] + 3), "y .* holds the label"),
        (DtypeError, lambda: text(ALL[:2], ALL[:2].double()), "y has dtype"),
        (ShapeError, lambda: text(ALL[:2], ALL[:2, :1]), r"y has shape \(2, 1\)"),
        (ConfigurationError, lambda: Categorical(transformer(), hidden=K), "alike"),
        (ConfigurationError, lambda: text.conditional(ALL[:2], 0), "hidden=K"),
        (ConfigurationError, lambda: PseudoEnergy(text), "hides no sites"),
        (ConfigurationError, lambda: Frequencies(torch.zeros(3)), "not all 0"),
        (ConfigurationError, lambda: Frequencies(torch.tensor([-1, 2])), "counts"),
        (ConfigurationError, lambda: Frequencies(torch.ones(3))(None, torch.tensor([3])), "y"),
    ):
        with pytest.raises(error, match=told):
            call()
