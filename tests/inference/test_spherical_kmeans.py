"""Spherical K-means, and clusters of a memory of codes that it sets once in a while."""

from itertools import pairwise

import pytest
import torch
from problems import F64, generator, randn
from torch.nn import functional

from ebmlab import FreeEnergy
from ebmlab._randomness import stream
from ebmlab.energies import Assignment, SuperClasses
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Clustered, SuperClustered
from ebmlab.inference._clusters.spherical_kmeans import spherical_kmeans
from ebmlab.networks import Memory, Prototypes


def by_hand(codes, start, iterations):
    """Lloyd's iterations, one code and one center at a time; no center loses all its codes."""
    codes, centers = functional.normalize(codes, dim=1), start
    for _ in range(iterations):
        index = torch.tensor([int((centers @ h).argmax()) for h in codes])
        means = [codes[index == k].sum(0) for k in range(len(centers))]
        assert all(bool((index == k).any()) for k in range(len(centers)))
        centers = torch.stack([mean / mean.norm() for mean in means])
    return centers


@pytest.mark.parametrize("rows", [7, 1000])
def test_it_is_lloyds_iteration_on_the_sphere_whatever_the_blocks(rows, monkeypatch):
    monkeypatch.setattr("ebmlab.inference._clusters.spherical_kmeans._ROWS", rows)
    codes = randn(60, 3) * randn(60, 1, seed=1).exp()
    start = functional.normalize(codes, dim=1)[torch.randperm(60, generator=generator())[:4]]
    found = spherical_kmeans(codes, 4, 6, generator())
    torch.testing.assert_close(found, by_hand(codes, start, 6))


def test_no_iteration_lowers_the_likeness():
    codes = randn(200, 5)
    unit = functional.normalize(codes, dim=1)
    likeness = [
        float((unit @ spherical_kmeans(codes, 8, i, generator()).T).amax(1).sum())
        for i in range(12)
    ]
    assert all(b >= a - 1e-12 for a, b in pairwise(likeness))
    assert likeness[-1] > likeness[0] + 1


def test_a_dead_center_takes_the_code_least_like_its_own():
    # Five copies of one direction: two of three starts are alike, and the second of them is dead.
    codes = torch.tensor([[1.0, 0.0]] * 5 + [[0.8, 0.6], [0.0, 1.0]], dtype=F64)
    for seed in range(20):
        found = spherical_kmeans(codes, 3, 10, generator(seed))
        assert set(map(tuple, found.round(decimals=6).tolist())) == {(1, 0), (0.8, 0.6), (0, 1)}


def test_the_same_generator_gives_the_same_centers():
    codes = randn(50, 3)
    first, again, other = (spherical_kmeans(codes, 5, 3, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_fewer_codes_than_centers_raise():
    with pytest.raises(ShapeError, match=r"\(3, 2\); 4 clusters"):
        spherical_kmeans(randn(3, 2), 4, 1, generator())


def head(every=2, k=3, size=20):
    centers = Prototypes(2, k)
    return FreeEnergy(
        Assignment(centers, 0.1), Clustered(centers, Memory(size, 2), every, seed=3)
    ).double()


def test_centers_are_those_of_the_bank_every_so_many_commits():
    free, seen = head(), []
    start = free.energy.prototypes.weight.clone()
    for step in range(1, 5):
        seen.append(randn(2, 4, 2, seed=step))
        free.update(None, seen[-1])
        memory = torch.cat([codes.reshape(-1, 2) for codes in seen])[-20:]
        if step == 1:
            assert torch.equal(free.energy.prototypes.weight, start)
        elif step == 2:
            due = spherical_kmeans(memory, 3, 10, stream(3, 2, rank=0))
            torch.testing.assert_close(free.energy.prototypes.weight, due)
    ring = free.infer.memory.codes
    assert {tuple(row) for row in ring.tolist()} == {tuple(row) for row in memory.tolist()}


def test_z_is_the_nearest_center_which_no_gradient_moves():
    free, y = head(), randn(7, 2)
    z = free.posterior(y, y).atoms[0]
    cosines = functional.normalize(y, dim=1) @ free.energy.prototypes.weight.T
    assert torch.equal(z, functional.one_hot(cosines.argmax(1), 3).double())
    x = y.clone().requires_grad_()
    free(x, y).sum().backward()
    assert free.energy.prototypes.weight.grad is None


def test_until_there_are_enough_codes_centers_stay():
    free = head(every=1, k=6)
    start = free.energy.prototypes.weight.clone()
    free.update(None, randn(5, 2))
    assert torch.equal(free.energy.prototypes.weight, start)
    free.update(None, randn(5, 2, seed=1))
    assert not torch.equal(free.energy.prototypes.weight, start)


def test_super_classes_cluster_all_codes_and_then_each_labels_part():
    infer = SuperClustered(2, 2, 2, 2, size=40, every=1, seed=5).double()
    free = FreeEnergy(SuperClasses(2, 2, 2, 2).double(), infer)
    h, label = randn(40, 2), torch.arange(40) % 2
    free.update(h, label)
    rng = stream(5, 1, rank=0)
    coarse = spherical_kmeans(h, 2, 10, rng)
    torch.testing.assert_close(infer.coarse, coarse)
    a = (h @ coarse.T).argmax(1)
    for r in range(2):
        for c in range(2):
            members = h[(label == r) & (a == c)]
            due = spherical_kmeans(members, 2, 10, rng)
            torch.testing.assert_close(infer.fine[2 * r + c], due)
    own = infer.fine[2 * label + a]
    part = (own @ h[:, :, None]).squeeze(-1).argmax(1)
    z = free.posterior(h, label).atoms[0]
    assert torch.equal(z.argmax(1), 2 * a + part)
    pairs = free.posterior(h[:, None], label[None]).atoms[0]
    assert pairs.shape == (40, 40, 4)
    assert torch.equal(pairs.diagonal().T, z)


@pytest.mark.parametrize("bad", [{"every": 0}, {"iterations": 0}])
def test_counts_below_one_raise(bad):
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        Clustered(Prototypes(2, 3), Memory(4, 2), **{"every": 1, **bad})
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        SuperClustered(2, 2, 2, 2, **{"size": 4, "every": 1, **bad})


@pytest.mark.parametrize("shape", [(2, 2), (4, 3)])
def test_a_bank_that_does_not_fit_the_centers_raises(shape):
    with pytest.raises(ConfigurationError, match="the memory keeps codes"):
        Clustered(Prototypes(2, 3), Memory(*shape), every=1)
