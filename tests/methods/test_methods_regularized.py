"""Barlow Twins, LeJEPA and W-MSE against the plain formulas of their papers."""

import copy

import pytest
import torch
from problems import generator, randn
from torch import nn
from torch.nn import functional

from ebmlab import methods
from ebmlab.energies import SquaredDistance
from ebmlab.errors import ConfigurationError
from ebmlab.networks import MLP
from ebmlab.regularizers import BarlowTwins, SIGReg


def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MLP(5, 4, (8,)).double()


def build(recipe, **sizes):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return recipe(encoder(), 4, **sizes).double()


def same(method, views, function):
    """The loss and its gradients equal those of a function of the views' codes."""
    own = [p for p in method.parameters() if p.requires_grad]
    value = method(views, views, generator()).value
    plain = copy.deepcopy(method)
    due = function([plain.energy.online(view) for view in views])
    torch.testing.assert_close(value, due, rtol=1e-9, atol=1e-11)
    slopes = torch.autograd.grad(due, [p for p in plain.parameters() if p.requires_grad])
    for a, b in zip(torch.autograd.grad(value, own), slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


def two(b=8, n=2):
    return tuple(randn(b, 5, seed=i) + randn(b, 5, seed=9) for i in range(n))


def test_barlow_twins_is_its_authors_loss():
    method = build(methods.barlow_twins, projection=6, hidden=7)

    def authors(h):
        norm = nn.BatchNorm1d(6, affine=False, dtype=torch.float64)
        c = norm(h[0]).T @ norm(h[1]) / len(h[0])
        off = c - c.diagonal().diag()
        return (c.diagonal() - 1).square().sum() + 0.0051 * off.square().sum()

    same(method, two(), authors)


@pytest.mark.parametrize("n", [2, 4])
def test_lejepa_pulls_views_to_their_center_and_the_population_to_a_standard_normal(n):
    method = build(methods.lejepa, projection=3, hidden=7, views=n, directions=6, weight=0.1)
    sigreg = SIGReg(directions=6)

    def papers(h):
        center = torch.stack(h).mean(0)
        pull = torch.stack([(view - center).square().sum(1).mean() for view in h]).mean()
        return 0.9 * pull + 0.1 * torch.stack([sigreg(view, view) for view in h]).mean()

    same(method, two(n=n), papers)


@pytest.mark.parametrize("v", [2, 3, 5])
def test_pair_energies_are_distances_from_the_center(v):
    h = randn(v, 6, 3)
    center = (h - h.mean(0)).square().sum(-1).mean()
    pairs = [SquaredDistance()(h[i], h[j]).mean() for i in range(v) for j in range(v) if i != j]
    torch.testing.assert_close((v - 1) / (2 * v) * torch.stack(pairs).mean(), center)


def test_w_mse_without_shrinkage_is_its_authors_loss_less_its_constant():
    method = build(methods.w_mse, projection=3, hidden=7, rows=None)
    method.energy.head.eps = 0.0

    def authors(h):
        white = []
        for view in h:
            apart = view - view.mean(0)
            factor = torch.linalg.cholesky(apart.T @ apart / (len(view) - 1))
            white.append(functional.normalize(apart @ torch.linalg.inv(factor).T, dim=1))
        return 2 - 2 * (white[0] * white[1]).sum(1).mean()

    same(method, two(), lambda h: authors(h) - 2)


RECIPES = {
    "barlow_twins": lambda: build(methods.barlow_twins, projection=6, hidden=7),
    "lejepa": lambda: build(methods.lejepa, projection=3, hidden=7, directions=8),
    "w_mse": lambda: build(methods.w_mse, projection=3, hidden=7),
    "vicreg": lambda: methods.vicreg(encoder(), 4),
}


@pytest.mark.parametrize("name", RECIPES)
def test_swapping_views_and_reordering_the_batch_change_nothing(name):
    method, (a, b) = RECIPES[name](), two()
    value = method((a, b), (a, b), generator()).value
    torch.testing.assert_close(method((b, a), (b, a), generator()).value, value)
    flipped = (a.flip(0), b.flip(0))
    torch.testing.assert_close(method(flipped, flipped, generator()).value, value)


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_step_lowers_the_loss_and_state_moves_in_commit_only(name):
    method, views = RECIPES[name](), two(32)
    own = {k: v for k, v in method.named_buffers() if "running" not in k and "batches" not in k}
    before = {k: v.clone() for k, v in own.items()}
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    first = None
    for _ in range(30):
        loss = method(views, views, generator())
        if first is None:
            first = float(loss.value.detach())
            assert all(torch.equal(v, before[k]) for k, v in own.items())
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        loss.commit()
    assert float(loss.value.detach()) < first
    assert method.encode(views[0]).shape == (32, 4)


def test_defaults_are_the_papers():
    method = methods.barlow_twins(encoder(), 4, projection=64, hidden=64)
    assert method.objective.regularizer == BarlowTwins(0.0051)
    assert method.objective.energy_weight == 0
    method = methods.lejepa(encoder(), 4)
    sigreg = method.objective.regularizer
    assert (sigreg.directions, sigreg.points, sigreg.reach) == (1024, 17, 3.0)
    assert method.objective.weight == 0.05
    assert methods.w_mse(encoder(), 4).energy.head.rows == 128


def test_lejepa_refuses_one_view_and_weights_beyond_one():
    for bad in ({"views": 1}, {"weight": 1.5}):
        with pytest.raises(ConfigurationError, match=f"{next(iter(bad))} is"):
            methods.lejepa(encoder(), 4, **bad)
