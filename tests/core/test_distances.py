"""Distances and the nearest by products, where products round: against differences in double."""

import pytest
import torch
from mixtures_support import unconverged
from problems import F64, randn

from ebmlab import FreeEnergy, methods
from ebmlab._distances import nearest_rows, squared_distances
from ebmlab.energies import Clusters
from ebmlab.inference import Enumerate
from ebmlab.metrics import ksd, mmd


def exact(x, y):
    return (x.double()[:, None] - y.double()).square().sum(-1)


def naive(x, y):
    """The product form about the mean."""
    x, y = x - y.mean(0), y - y.mean(0)
    return x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.mT


def outlier():
    """Points and codes near 0, and one code far away."""
    return torch.tensor([[0.0], [0.9], [1.0]]), torch.tensor([[0.0], [1.0], [20000.0]])


def groups():
    """Two groups of codes far apart, and points that near codes share."""
    sides = torch.tensor([-3e4, 3e4])[torch.arange(8) % 2, None]
    return (sides[torch.arange(200) % 8] + randn(200, 3)).float(), (sides + randn(8, 3)).float()


def twins():
    """Codes of which some are equal, and one is all but equal."""
    codes = randn(6, 3).float()
    codes = torch.cat([codes, codes[:2], codes[:1] * (1 + 2e-7)])
    return torch.cat([codes, randn(50, 3, seed=1).float()]), codes


def ordinary():
    return randn(100, 5).float(), randn(7, 5, seed=1).float()


@pytest.mark.parametrize("made", [outlier, groups, twins, ordinary])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, F64])
def test_the_nearest_are_those_of_direct_differences(made, kind):
    x, y = (t.to(kind) for t in made())
    due = exact(x, y)
    found = due.gather(1, nearest_rows(x, y)[:, None])[:, 0]
    torch.testing.assert_close(found, due.amin(1), rtol=1e-5, atol=0)
    energies = squared_distances(x, y)
    assert energies.dtype == torch.promote_types(kind, torch.float32)
    assert bool((energies >= 0).all())
    torch.testing.assert_close(energies.double(), due, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("made", [outlier, groups])
def test_the_product_alone_is_wrong_there(made):
    x, y = made()
    due, found = exact(x, y), naive(x, y)
    assert float(found.amin()) <= 0 < float(due.amax(1).amin())
    assert float((due.gather(1, found.argmin(1)[:, None])[:, 0] - due.amin(1)).max()) > 0.5


def test_of_equal_rows_the_first_is_nearest_and_autocast_changes_nothing():
    x, y = twins()
    assert int(nearest_rows(x[:6], y).max()) < 6
    plain = Clusters(y)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(nearest_rows(x, y), exact(x, y).argmin(1))
        every = plain(None, x, torch.arange(len(y))[:, None])
        own = plain(None, x, torch.zeros(len(x), dtype=torch.long))
    torch.testing.assert_close(every.double(), exact(y, x), rtol=1e-4, atol=1e-12)
    torch.testing.assert_close(own, every[0], rtol=1e-4, atol=1e-12)


def test_energies_of_clusters_broadcast_as_their_differences_do():
    y, centers = randn(2, 1, 4, 3, seed=1), randn(5, 3)
    for z in (torch.arange(5)[:, None, None, None], torch.arange(3)[:, None], torch.tensor(2)):
        due = (y - centers[z]).square().sum(-1)
        torch.testing.assert_close(Clusters(centers)(None, y, z.reshape(-1, *z.shape[1:])), due)
    shared = torch.arange(8).reshape(2, 4)[:, None] % 5
    due = (y - centers[shared]).square().sum(-1)
    torch.testing.assert_close(Clusters(centers)(None, y, shared), due)


def test_all_pairs_have_the_gradient_of_the_differences():
    y = randn(4, 3).requires_grad_()
    centers = torch.nn.Parameter(randn(5, 3, seed=1))
    free = FreeEnergy(Clusters(centers), Enumerate(torch.arange(5)), 1.0)
    due = -(-(y[:, None] - centers).square().sum(-1)).logsumexp(1) + torch.tensor(5.0).log()
    for value in (y, centers):
        found = free(None, y).sum()
        grads = [torch.autograd.grad(v, value, retain_graph=True)[0] for v in (found, due.sum())]
        torch.testing.assert_close(*grads)


def test_kmeans_beside_an_outlier_is_scikit_learn_s():
    from sklearn.cluster import KMeans

    y = torch.cat([randn(300, 2) + 4 * randn(5, 2, seed=1).repeat(60, 1), randn(1, 2) + 3e4])
    start = torch.cat([y[:5], y[-1:]])
    method = methods.kmeans(start.float())
    for _ in range(10):
        method(None, y.float()).commit()
    with unconverged():
        judge = KMeans(6, init=start.numpy(), n_init=1, max_iter=10, tol=0).fit(y.numpy())
    centers = method.get_buffer("energy.energy.codebook.codes")
    theirs = torch.from_numpy(judge.cluster_centers_)
    torch.testing.assert_close(centers.double(), theirs, rtol=1e-5, atol=1e-5)
    loss = len(y) * float(method(None, y.float()).value)
    assert loss == pytest.approx(judge.inertia_, rel=1e-5)
    found = naive(y.float(), theirs.float())
    assert abs(float(found.amin(1).sum()) - judge.inertia_) > 100


def test_discrepancies_see_the_many_beside_one_far_away():
    x, y = randn(60, 2), randn(60, 2, seed=1) + 0.5
    x[0] = 1e11
    points = torch.cat([x, y])
    kernel = (-exact(points, points) / 2).exp().fill_diagonal_(0)
    due = (kernel[:60, :60].sum() + kernel[60:, 60:].sum()) / (60 * 59)
    due = due - 2 * kernel[:60, 60:].mean()
    torch.testing.assert_close(mmd(x, y, bandwidth=1.0), due, rtol=1e-6, atol=1e-9)
    blurred = (-naive(points, points).clamp(min=0) / 2).exp()
    assert float((blurred - kernel).fill_diagonal_(0).abs().max()) > 0.1
    flat = ksd(x, lambda y: 0 * y.sum(-1))
    assert bool(flat.isfinite())


def test_data_that_are_not_finite_have_some_nearest_row():
    y = torch.tensor([[0.0], [torch.nan], [torch.inf]])
    assert nearest_rows(y, torch.tensor([[0.0], [1.0]])).shape == (3,)
    assert nearest_rows(1e20 * randn(5, 2, seed=3).float(), randn(3, 2).float()).max() < 3
