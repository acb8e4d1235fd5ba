"""Typicality: in many dimensions the mode is as odd as what is far away."""

import pytest
import torch
from problems import F64, f64, randn

from ebmlab.energies import Gaussian
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.metrics import auroc, typicality


def test_it_is_the_distance_from_the_mean_energy():
    usual, energies = f64([1.0, 2.0, 6.0]), f64([3.0, 0.0, 7.5, torch.inf])
    due = f64([0.0, 3.0, 4.5, torch.inf])
    torch.testing.assert_close(typicality(usual, energies), due)
    # An offset of the energy, as log Z, does not matter, in single precision either.
    shifted = typicality((usual + 1e4).float(), (energies + 1e4).float())
    torch.testing.assert_close(shifted, due.float(), rtol=0, atol=2e-3)


def test_the_mode_of_a_gaussian_is_odd():
    energy = Gaussian(torch.zeros(400, dtype=F64), torch.eye(400, dtype=F64))
    train, usual = (energy(None, randn(500, 400, seed=seed)) for seed in (1, 2))
    near, far = (energy(None, scale * randn(500, 400, seed=3)) for scale in (0.8, 1.2))
    assert auroc(usual, near) < 0.001
    for odd in (near, far):
        assert auroc(typicality(train, usual), typicality(train, odd)) > 0.99


def test_what_has_no_mean_is_refused():
    fine = torch.ones(2)
    for usual, energies, name in ((fine[None], fine, "usual"), (fine, fine[None], "energies")):
        with pytest.raises(ShapeError, match=f"{name} has shape"):
            typicality(usual, energies)
    with pytest.raises(ShapeError, match="usual has shape"):
        typicality(fine[:0], fine)
    with pytest.raises(NonFiniteError, match="usual"):
        typicality(torch.tensor([1.0, torch.inf]), fine)
    with pytest.raises(NonFiniteError, match="energies holds NaN at 1"):
        typicality(fine, torch.tensor([1.0, torch.nan]))
