"""The likelihood of texts: sites that are independent given x, from one pass."""

import pytest
import torch
from problems import F64, generator, randn
from torch import nn
from torch.nn import functional

from ebmlab.energies import MLP, Categorical
from ebmlab.errors import ShapeError
from ebmlab.networks import Transformer
from ebmlab.objectives import Likelihood

K, LENGTH, N = 5, 6, 8
OBJECTIVE = Likelihood(torch.arange(K))
Y = torch.randint(K, (N, LENGTH), generator=generator(1))
HIDES = torch.rand(N, LENGTH, generator=generator(2)) < 0.3
X = torch.where(HIDES, K, Y)


def energy(**options):
    torch.manual_seed(0)
    network = Transformer(K, LENGTH, dim=4, depth=1, heads=2).double()
    for parameter in network.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, dtype=F64)
    return Categorical(network, y_ndim=1, **options)


def same(loss, due, energy):
    torch.testing.assert_close(loss.value, due)
    parameters = list(energy.parameters())
    for got, grad in zip(
        torch.autograd.grad(loss.value, parameters, retain_graph=True),
        torch.autograd.grad(due, parameters),
        strict=True,
    ):
        torch.testing.assert_close(got, grad)


def test_all_sites_cost_their_mean_cross_entropy():
    model = energy()
    loss, logits = OBJECTIVE(model, X, Y), model.network(X)
    same(loss, functional.cross_entropy(logits.flatten(0, 1), Y.flatten()), model)
    assert loss.metrics["sites"] == LENGTH
    torch.testing.assert_close(loss.metrics["log_z"], logits.detach().logsumexp(-1).mean())
    torch.testing.assert_close(
        loss.metrics["e_pos"], -logits.detach().gather(-1, Y[..., None]).mean()
    )


def test_hidden_sites_alone_cost_their_mean_cross_entropy():
    model = energy(hidden=K)
    loss, logits = OBJECTIVE(model, X, Y), model.network(X)
    due = functional.cross_entropy(logits.mT, Y.where(HIDES, -100))
    everywhere = functional.cross_entropy(logits.mT, Y)
    assert abs(due - everywhere) > 0.01  # the control
    same(loss, due, model)
    torch.testing.assert_close(loss.metrics["sites"], HIDES.double().sum(1).mean())


def test_it_is_the_likelihood_of_whole_texts_for_each_hidden_site():
    model, few = energy(hidden=K), HIDES.sum(1) <= 3
    texts = torch.cartesian_prod(*[torch.arange(K)] * LENGTH)
    whole = Likelihood(texts)(model, X[few], Y[few]).value
    by_site = OBJECTIVE(model, X[few], Y[few])
    torch.testing.assert_close(by_site.value * by_site.metrics["sites"], whole)


def test_a_batch_that_hides_nothing_costs_nothing():
    model = energy(hidden=K)
    loss = OBJECTIVE(model, Y, Y)
    loss.value.backward()
    assert loss.value == loss.metrics["sites"] == 0
    assert all(not p.grad.any() for p in model.parameters())


def test_what_x_shows_must_be_in_y():
    assert OBJECTIVE(energy(hidden=K), Y, (Y + 1) % K).value == torch.inf


def test_one_pass_serves_all_tokens_of_all_sites():
    model, passes = energy(), []
    model.network.register_forward_hook(lambda *_: passes.append(1))
    OBJECTIVE(model, X, Y)
    one = Categorical(nn.Linear(2, K).double())
    one.network.register_forward_hook(lambda *_: passes.append(1))
    OBJECTIVE(one, randn(N, 2), Y[:, 0])
    assert len(passes) == 2


def test_sites_that_are_not_independent_are_refused():
    with pytest.raises(ShapeError, match="independent given x"):
        Likelihood(torch.zeros(2, dtype=F64) + torch.arange(2))(
            MLP(2, 1).double(), randn(3, 1), torch.zeros(3, 2, dtype=F64)
        )
    with pytest.raises(ShapeError, match="no weights"):
        Likelihood(torch.arange(K), torch.zeros(K))(energy(), X, Y)
