"""K-means against scikit-learn's Lloyd steps, running means, empty clusters, starts."""

import numpy as np
import pytest
import torch
from mixtures_support import blobs, commits, flat_digits, unconverged
from problems import F64, f64, generator, randn

from ebmlab import fit, methods
from ebmlab.energies import Clusters, kmeans_plus_plus
from ebmlab.energies.clusters import _drawn
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.training import Recording


def inertia(y, centers, steps):
    from sklearn.cluster import KMeans

    with unconverged():
        found = KMeans(
            len(centers),
            init=centers.numpy(),
            n_init=1,
            max_iter=steps,
            tol=0.0,
            algorithm="lloyd",
        ).fit(y.numpy())
    return float(found.inertia_), torch.from_numpy(found.cluster_centers_)


def codes(method):
    return method.get_buffer("energy.energy.codebook.codes")


def test_every_commit_is_a_step_of_lloyd_on_the_toy():
    y = blobs()
    method = methods.kmeans(y[:4])
    for steps in range(1, 6):
        commits(method, y, 1)
        theirs, centers = inertia(y, y[:4], steps)
        ours = len(y) * float(method(None, y).value)
        assert ours == pytest.approx(theirs, rel=1e-10)
        torch.testing.assert_close(codes(method), centers)


def test_the_inertia_of_real_digits_is_scikit_learn_s_at_convergence():
    y = flat_digits()
    start = kmeans_plus_plus(y, 10, generator())
    method = methods.kmeans(start)
    run = fit(method, (None, y), steps=60, batch_size=len(y), record=Recording(every=1))
    theirs, _ = inertia(y, start, 300)
    assert len(y) * float(method(None, y).value) == pytest.approx(theirs, rel=1e-9)
    assert run.optimizer is None
    assert np.all(np.diff(run.history["value"]) <= 1e-12)
    single = methods.kmeans(start.float())
    commits(single, y.float(), 60)
    assert len(y) * float(single(None, y.float()).value) == pytest.approx(theirs, rel=1e-5)
    # The judge tells one step less from convergence.
    assert inertia(y, start, 3)[0] > theirs * (1 + 1e-3)


def test_all_pairs_of_energies_are_squared_distances_and_survive_an_offset():
    y, centers = randn(7, 3, seed=1), randn(5, 3, seed=2)
    due = (y[None] - centers[:, None]).square().sum(-1)
    got = Clusters(centers)(None, y, torch.arange(5)[:, None])
    torch.testing.assert_close(got, due)
    far = Clusters((centers + 1e4).float())(None, (y + 1e4).float(), torch.arange(5)[:, None])
    torch.testing.assert_close(far.to(F64), due, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("decay", [1.0, 0.9])
def test_minibatches_move_centers_to_running_means(decay):
    y, centers = blobs()[torch.randperm(240, generator=generator())], f64([[-4.0, 0], [4, 0]])
    method = methods.kmeans(centers, decay=decay)
    commits(method, y, 1, size=60)
    count, total, now = torch.ones(2, dtype=F64), centers.clone(), centers
    for part in y.split(60):
        share = torch.eye(2, dtype=F64)[torch.cdist(part, now).argmin(1)]
        count, total = decay * count + share.sum(0), decay * total + share.T @ part
        now = total / count[:, None]
    torch.testing.assert_close(codes(method), now)
    assert not torch.allclose(now, torch.stack([p.mean(0) for p in (y[:1], y[1:])]))


def test_an_empty_cluster_begins_again_at_the_farthest_datum_and_is_counted():
    y = f64([[0.0], [1.0], [10.0], [2.0]])
    start = f64([[1.0], [100.0]])
    method = methods.kmeans(start)
    commits(method, y, 1)
    assert codes(method).flatten().tolist() == [3.25, 10.0]
    assert int(method.get_buffer("energy.energy.codebook.restarts")) == 1
    values = commits(method, y, 3)
    assert values[-1] == pytest.approx((1 + 0 + 1) / 4)
    assert int(method.get_buffer("energy.energy.codebook.restarts")) == 1
    kept = methods.kmeans(start, restart=None)
    commits(kept, y, 3)
    assert codes(kept).flatten().tolist() == [3.25, 100.0]


def test_more_centers_than_different_data_are_left_where_nothing_is_far():
    y = f64([[0.0], [0.0], [5.0]])
    method = methods.kmeans(f64([[0.0], [5.0], [9.0], [8.0]]))
    commits(method, y, 2)
    assert codes(method).flatten().tolist() == [0.0, 5.0, 9.0, 8.0]
    assert float(method(None, y).value) == 0


def test_soft_clusters_follow_the_weighted_means():
    y, centers = blobs(), f64([[-4.0, 0], [4, 0], [0.0, 1.0]])
    method = methods.kmeans(centers, temperature=3.0)
    commits(method, y, 1)
    share = (-torch.cdist(y, centers).square() / 3).softmax(1)
    torch.testing.assert_close(codes(method), share.T @ y / share.sum(0)[:, None])


def test_starts_are_spread_by_squared_distance():
    # From 0 the other two are drawn with odds 1 : 9.
    data = f64([[0.0], [1.0], [3.0]])
    rng, after = generator(), []
    for _ in range(1500):
        first, second = kmeans_plus_plus(data, 2, rng).flatten().tolist()
        if first == 0:
            after.append(second == 3.0)
    share, std = float(np.mean(after)), float(np.sqrt(0.09 / len(after)))
    # A fair draw is 5 standard errors off about once in two million seeds.
    assert abs(share - 0.9) < 5 * std
    assert abs(0.75 - 0.9) > 5 * std
    assert len(after) > 400
    assert kmeans_plus_plus(data[:1].expand(3, 1), 3, rng).flatten().tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [2.0**-120, 2.0**-80, 2.0**70, 2.0**120])
def test_starts_are_the_same_at_any_scale(scale):
    y = randn(200, 3).float() + torch.tensor([-1.0, 0, 1])[torch.arange(200) % 3, None]
    found = kmeans_plus_plus(scale * y, 20, generator())
    assert torch.equal(found / scale, kmeans_plus_plus(y, 20, generator()))
    assert len(found.unique(dim=0)) == 20
    squares = (scale * y).square().sum(1)
    assert not bool((squares.isfinite() & (squares > 0)).any())


def test_starts_of_half_precision_and_of_more_data_than_single_precision_counts():
    y = torch.tensor([[-600.0], [600.0]] * 20, dtype=torch.float16)
    found = kmeans_plus_plus(y, 2, generator())
    assert found.dtype == torch.float16
    assert found.flatten().abs().tolist() == [600, 600]
    assert found.sum() == 0
    many = torch.zeros(2**24 + 2)
    many[-1] = 1
    assert int(_drawn(many, generator())) == 2**24 + 1
    with pytest.raises(RuntimeError, match="2\\^24"):
        torch.multinomial(many, 1)


def test_starts_refuse_what_is_no_point():
    for wrong, error in (
        (torch.zeros(3), ShapeError),
        (torch.zeros(0, 2), ShapeError),
        (torch.zeros(3, 2, dtype=torch.long), DtypeError),
        (torch.tensor([[0.0], [torch.nan]]), NonFiniteError),
        (torch.tensor([[0.0], [torch.inf]]), NonFiniteError),
    ):
        with pytest.raises(error, match="data"):
            kmeans_plus_plus(wrong, 1, generator())


def test_clusters_refuse_what_they_cannot_count():
    y = torch.zeros(3, 2)
    with pytest.raises(ShapeError, match="codes"):
        methods.kmeans(torch.zeros(3))
    with pytest.raises(NonFiniteError, match="codes"):
        methods.kmeans(torch.full((3, 2), torch.nan))
    for wrong in ({"decay": 1.1}, {"decay": -0.1}, {"restart": 1.0}, {"restart": -1.0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            methods.kmeans(y, **wrong)
    with pytest.raises(ShapeError, match="y has shape"):
        methods.kmeans(y)(None, torch.zeros(3, 4))
    with pytest.raises(DtypeError, match="z"):
        Clusters(y)(None, y, torch.zeros(3))
    for k in (0, 4):
        with pytest.raises(ConfigurationError, match="k is"):
            kmeans_plus_plus(y, k, generator())
