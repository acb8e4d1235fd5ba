"""Retrieval and ranks against the whole matrix of energies; every item is encoded once."""

import pytest
import torch
from problems import F64, generator, randn
from torch import nn
from whole_data_support import PAIR, Counting, simclr

from ebmlab import FreeEnergy, Method, methods
from ebmlab.data.views import Masked
from ebmlab.energies import (
    Assignment,
    Completion,
    Cosine,
    DoubleWell,
    JointEmbedding,
    Reconstruction,
    SquaredDistance,
    Supported,
    Whitened,
)
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError, ShapeError
from ebmlab.inference import Amortized, Enumerate, Sinkhorn
from ebmlab.networks import Prototypes
from ebmlab.networks.mlp import Conditional
from ebmlab.prediction import rank, retrieve


def latent():
    head = Reconstruction(Conditional(nn.Linear(5, 3)).double())
    pair = JointEmbedding(Counting(4, 3), Counting(6, 3), head)
    return FreeEnergy(pair, Enumerate(torch.eye(2, dtype=F64)), 0.5)


ENERGIES = {
    "joint embedding": lambda: JointEmbedding(Counting(4, 3), Counting(6, 3), Cosine()),
    "with z": latent,
    "predicted": lambda: Completion(
        nn.Bilinear(4, 4, 6).double(), SquaredDistance(), x_ndim=(1, 1)
    ),
}


def data(name, n, m):
    x, y = randn(n, 4, seed=1), randn(m, 6, seed=2)
    return ((x, x) if name == "predicted" else x), y


def matrix(energy, x, y):
    x = tuple(t[:, None] for t in x) if isinstance(x, tuple) else x[:, None]
    return energy(x, y[None]).detach()


@pytest.mark.parametrize("chunk", [1, 7, 1024])
@pytest.mark.parametrize("name", ENERGIES)
def test_the_lowest_energies_of_the_whole_matrix_are_found_in_blocks(name, chunk):
    energy, (x, y) = ENERGIES[name](), data(name, 70, 23)
    found = retrieve(energy, x, y, 5, chunk=chunk)
    low, index = matrix(energy, x, y).sort(dim=1)
    assert torch.equal(found.indices, index[:, :5])
    torch.testing.assert_close(found.energies, low[:, :5])
    assert not found.energies.requires_grad


@pytest.mark.parametrize("chunk", [1, 7, 1024])
@pytest.mark.parametrize("name", ENERGIES)
def test_ranks_count_the_candidates_of_lower_energy(name, chunk):
    energy, (x, y) = ENERGIES[name](), data(name, 70, 23)
    right = torch.arange(70) % 23
    every = matrix(energy, x, y)
    due = 1 + (every < every.gather(1, right[:, None])).sum(1)
    assert torch.equal(rank(energy, x, y, right, chunk=chunk), due.double())


def test_equal_energies_come_in_order_and_share_a_rank():
    x, y = torch.zeros(3, 1), torch.tensor([[1.0], [-1.0], [0.0], [1.0], [2.0]])
    found = retrieve(SquaredDistance(), x, y, 4, chunk=2)
    assert found.indices.tolist() == [[2, 0, 1, 3]] * 3
    assert rank(SquaredDistance(), x, y, torch.tensor([0, 2, 4]), chunk=2).tolist() == [3, 1, 5]
    # A collapsed model knows nothing, and gets the rank of chance.
    assert rank(SquaredDistance(), x, torch.zeros(9, 1), torch.arange(3)).tolist() == [5, 5, 5]


def test_every_item_is_encoded_once():
    f, g = Counting(4, 3), Counting(6, 3)
    energy, (x, y) = JointEmbedding(f, g, SquaredDistance()), data("", 200, 150)
    for look in (lambda c: retrieve(energy, x, y, 2, chunk=c), lambda c: rank(
        energy, x, y, torch.zeros(200).long(), chunk=c
    )):  # fmt: skip
        f.rows = g.rows = 0
        look(1024)
        assert (f.rows, g.rows) == (200, 150)
        f.rows = g.rows = 0
        look(50)
        assert (f.rows, g.rows) == (200, 151)


def test_a_random_head_draws_the_same_for_all_blocks():
    class Gaussian(nn.Module):
        def forward(self, x, y):
            return x + y, torch.zeros_like(x)

    free = FreeEnergy(
        Reconstruction(Conditional(nn.Linear(4, 2)).double()), Amortized(Gaussian()), 1.0
    )
    x, y = randn(3, 2), randn(5, 2, seed=1)
    found = retrieve(free, x, y, 5, rng=generator())
    torch.testing.assert_close(
        found.energies, free(x[:, None], y[None], rng=generator()).sort(1)[0]
    )
    assert torch.equal(
        rank(free, x, y, found.indices[:, 2], rng=generator()), torch.full((3,), 3.0).double()
    )
    with pytest.raises(ConfigurationError, match="rng"):
        retrieve(free, x, y, 2)


def test_images_are_completed_by_those_they_belong_to():
    method = methods.masked_autoencoder(
        8, 4, channels=1, dim=8, depth=1, heads=2, decoder_dim=8, decoder_depth=1, decoder_heads=2
    ).double()
    x, y = Masked(4)(torch.rand(6, 1, 8, 8, generator=generator(), dtype=F64), generator())
    found = retrieve(method, x, y, 1)
    torch.testing.assert_close(found.energies[:, 0], matrix(method.energy, x, y).amin(1))


def test_a_trained_embedding_finds_the_other_view_better_than_pixels_do():
    method, images, labels = simclr()
    one, other = PAIR(images, generator(1))
    right = torch.arange(len(images))
    mean_reciprocal = {
        name: float((1 / rank(energy, one, other, right)).mean())
        for name, energy in (("codes", method), ("pixels", SquaredDistance(3)))
    }
    assert mean_reciprocal["codes"] > 1.5 * mean_reciprocal["pixels"] > 0.05
    neighbors = retrieve(method, images[:200], images[200:], 5).indices + 200
    assert (labels[neighbors] == labels[:200, None]).double().mean() > 0.7


def test_energies_that_are_no_function_of_one_pair_are_refused():
    x = randn(4, 3)
    coupled = (
        JointEmbedding(nn.Identity(), None, Whitened(SquaredDistance(), eps=0.1)),
        FreeEnergy(Assignment(Prototypes(3, 2).double(), 0.5), Sinkhorn(0.5)),
    )
    for energy in coupled:
        with pytest.raises(ConfigurationError, match="couples the rows"):
            retrieve(energy, x, x, 1)
        with pytest.raises(ConfigurationError, match="couples the rows"):
            rank(energy, x, x, torch.arange(4))
    normalized = Method(
        JointEmbedding(nn.BatchNorm1d(3).double(), head=Cosine()),
        methods.vicreg(nn.Identity(), 3).objective,
    )
    with pytest.raises(ConfigurationError, match=r"\.eval\(\)"):
        retrieve(normalized, x, x, 1)
    assert retrieve(normalized.eval(), x, x, 1).indices.flatten().tolist() == [0, 1, 2, 3]


def test_what_no_block_has_is_not_cut():
    support, labels = randn(4, 3, seed=3), torch.arange(4) % 2
    energy = Supported(nn.Identity(), SquaredDistance(), classes=2, views=1)
    x, y = randn(5, 3), randn(7, 3, seed=1)
    found = retrieve(energy, x, (y, support, labels), 7, chunk=3)
    due = energy(x[:, None], (y[None], support, labels)).sort(1)[0]
    torch.testing.assert_close(found.energies, due)


def test_arguments_that_cannot_be_are_refused():
    distance, x, y = SquaredDistance(), randn(4, 3), randn(6, 3)
    for k in (0, 7):
        with pytest.raises(ConfigurationError, match="k is"):
            retrieve(distance, x, y, k)
    with pytest.raises(ConfigurationError, match="chunk is 0"):
        retrieve(distance, x, y, 1, chunk=0)
    for wrong in (None, (x, x)):
        with pytest.raises(ShapeError, match="one view"):
            retrieve(JointEmbedding(nn.Identity()), wrong, y, 1)
    with pytest.raises(ShapeError, match="batch"):
        retrieve(distance, x[0], y, 1)
    with pytest.raises(ConfigurationError, match="takes_x False"):
        retrieve(DoubleWell(), x[:, :2], y[:, :2], 1)
    with pytest.raises(NonFiniteError, match=r"x\[2\] and candidates\[0\]"):
        retrieve(distance, x.index_fill(0, torch.tensor(2), torch.nan), y, 1)
    with pytest.raises(ShapeError, match="right has shape"):
        rank(distance, x, y, torch.arange(3))
    with pytest.raises(DtypeError, match="right"):
        rank(distance, x, y, torch.zeros(4))
    for wrong in (-1, 6):
        with pytest.raises(ConfigurationError, match="outside 0"):
            rank(distance, x, y, torch.full((4,), wrong))
