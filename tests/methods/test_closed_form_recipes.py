"""Recipes of clusters, autoencoders and tables: what they are, and that only commit moves."""

import pytest
import torch
from autoencoders_support import linear
from problems import F64, generator, randn
from torch import nn

from ebmlab import fit, methods
from ebmlab.energies import Clusters, Components, Reconstruction, Subspace
from ebmlab.errors import EbmlabError
from ebmlab.inference import Amortized, Enumerate, Nearest, Projected, Stored
from ebmlab.objectives import Denoising, Regularized, VectorQuantized
from ebmlab.protocols import WeightedSum


def pair():
    return linear(4, 2), linear(2, 4, seed=2)


# name -> (method, energy, inference, objective, whether gradients train it)
RECIPES = {
    "kmeans": lambda: (methods.kmeans(randn(3, 4)), Clusters, Enumerate, Regularized, False),
    "gmm": lambda: (
        methods.gmm(randn(3, 4), torch.ones(3, dtype=F64)),
        Components,
        Enumerate,
        Regularized,
        False,
    ),
    "pca": lambda: (methods.pca(4, 2).double(), Subspace, Projected, Regularized, False),
    "autoencoder": lambda: (
        methods.autoencoder(*pair()),
        Reconstruction,
        Amortized,
        Regularized,
        True,
    ),
    "denoising_autoencoder": lambda: (
        methods.denoising_autoencoder(*pair(), 0.1),
        Reconstruction,
        Amortized,
        Denoising,
        True,
    ),
    "contractive_autoencoder": lambda: (
        methods.contractive_autoencoder(*pair(), 0.1),
        Reconstruction,
        Amortized,
        WeightedSum,
        True,
    ),
    "vq_vae": lambda: (
        methods.vq_vae(*pair(), randn(5, 2)),
        Reconstruction,
        Nearest,
        VectorQuantized,
        True,
    ),
    "glo": lambda: (
        methods.glo(linear(2, 4), 12, 2, generator()).double(),
        Reconstruction,
        Stored,
        Regularized,
        True,
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_a_composition_that_a_step_improves(name):
    method, energy, infer, objective, trained = RECIPES[name]()
    assert type(method.energy.energy) is energy
    assert type(method.energy.infer) is infer
    assert type(method.objective) is objective
    assert any(p.requires_grad for p in method.parameters()) == trained
    y = randn(12, 4, seed=8)
    data = (torch.arange(12), y)
    before = {key: part.clone() for key, part in method.state_dict().items()}
    loss = method(*data, generator())
    assert all(torch.equal(part, before[key]) for key, part in method.state_dict().items())
    loss.commit()
    run = fit(method, data, steps=20, batch_size=12, lr=0.03)
    assert (run.optimizer is not None) == trained
    assert float(method(*data, generator()).value.detach()) < float(loss.value.detach())


@pytest.mark.parametrize("name", RECIPES)
def test_a_saved_state_restores_what_commits_moved(name):
    method, *_ = RECIPES[name]()
    data = (torch.arange(12), randn(12, 4, seed=8))
    fit(method, data, steps=3, batch_size=12)
    fresh, *_ = RECIPES[name]()
    due, other = (m(*data, generator()).value.detach() for m in (method, fresh))
    assert not torch.equal(due, other)
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(fresh(*data, generator()).value.detach(), due)


@pytest.mark.parametrize("name", ["kmeans", "gmm", "pca", "vq_vae"])
def test_data_that_are_not_finite_move_nothing(name):
    method, *_ = RECIPES[name]()
    y = randn(12, 4, seed=8)
    y[3, 1] = torch.nan
    before = {key: part.clone() for key, part in method.state_dict().items()}
    loss = method(None, y)
    with pytest.raises(EbmlabError, match=r"finite|infinity"):
        loss.commit()
    assert all(torch.equal(part, before[key]) for key, part in method.state_dict().items())


def test_representations_are_the_encoders():
    f, g = pair()
    y = randn(12, 4, seed=8)
    for method in (methods.autoencoder(f, g), methods.vq_vae(f, g, randn(5, 2))):
        assert torch.equal(method.encode(y), f(y))
    assert methods.pca(4, 2).double().encode(y).shape == (12, 2)
    assert isinstance(methods.pca(4, 2).encoder, nn.Module)
