"""Exact inference over finitely many z."""

import math

import pytest
import torch
from problems import f64, latent, randn
from torch import Tensor

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Enumerate


def test_ties_go_to_the_first_atom():
    energy = latent(lambda y, z: (y - z).square().sum(-1))
    q = Enumerate(f64([[3.0], [-1.0], [1.0], [-1.0]]))(energy, None, f64([[0.0], [1.0]]))
    assert q.atoms.flatten().tolist() == [-1, 1]


def test_tokens_are_enumerated_over_data_of_any_precision():
    table = randn(4, 2, seed=5)
    energy = latent_tokens(table)
    y = randn(6, 2, seed=6)
    expected = (y - table[:, None]).square().sum(-1)
    free = FreeEnergy(energy, Enumerate(torch.arange(4)), 0.5)
    torch.testing.assert_close(free(None, y), -0.5 * ((-expected / 0.5).exp().mean(0)).log())


def latent_tokens(table: Tensor) -> FunctionEnergy:
    return FunctionEnergy(
        lambda y, z: (y - table[z]).square().sum(-1), variables=("y", "z"), z_ndim=0
    )


def test_enumeration_refuses_what_is_no_prior():
    atoms = torch.zeros(3, 1)
    with pytest.raises(ShapeError, match="atoms"):
        Enumerate(torch.zeros(0, 1))
    with pytest.raises(ShapeError, match="weights"):
        Enumerate(atoms, torch.ones(2))
    for weights in ([1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, math.nan, 1.0]):
        with pytest.raises(ConfigurationError, match="weights"):
            Enumerate(atoms, torch.tensor(weights))
    with pytest.raises(ConfigurationError, match="temperature"):
        Enumerate(atoms)(latent(lambda y, z: (y - z).sum(-1)), None, torch.zeros(1, 1), -1.0)
