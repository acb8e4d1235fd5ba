import pytest
import torch
from faults_support import (
    _free,
    _Joined,
    _latent_energy,
    _normal,
    _pair_energy,
    energies,
    inferences,
    refused,
    uses,
)
from torch import nn

from ebmlab.energies import Reconstruction
from ebmlab.errors import ShapeError
from ebmlab.types import Potential


@uses
def test_fault_1_an_energy_of_shape_b_by_1_is_refused_and_squeezed_it_passes(use):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(ShapeError, lambda: use(_pair_energy(lambda e: e), x, y), "FunctionEnergy", "1)")
    use(_pair_energy(lambda e: e.squeeze(-1)), x, y)


@inferences
def test_fault_1_an_energy_of_shape_b_by_1_is_refused_with_a_latent(infer):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    free = _free(infer, _latent_energy(lambda e: e))
    refused(ShapeError, lambda: free(x, y), "FunctionEnergy", "1)")
    _free(infer, _latent_energy())(x, y)


def test_fault_1_a_batch_of_one_and_a_plain_potential_are_no_way_round():
    refused(ShapeError, lambda: _pair_energy(lambda e: e)(_normal(1, 2), _normal(1, 2)), "(1, 1)")
    u = Potential(lambda y: y[:, :1])
    refused(ShapeError, lambda: u(_normal(4, 2)), "(4, 2)", "(4, 1)", "(4,) is expected")
    assert Potential(lambda y: y[:, 0])(_normal(4, 2)).shape == (4,)


@uses
def test_fault_2_a_scalar_energy_is_refused(use):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(ShapeError, lambda: use(_pair_energy(torch.sum), x, y), "returned ()")


@inferences
def test_fault_2_a_scalar_energy_is_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy(torch.sum))
    refused(ShapeError, lambda: free(_normal(4, 2), _normal(4, 2)), "returned ()")


def test_fault_2_a_batch_of_one_and_a_plain_potential_are_no_way_round():
    refused(ShapeError, lambda: _pair_energy(torch.sum)(_normal(1, 2), _normal(1, 2)), "()")
    refused(ShapeError, lambda: Potential(torch.sum)(_normal(1, 2)), "(1,) is expected", "()")
    refused(ShapeError, lambda: Potential(lambda y: 0.0)(_normal(1, 2)), "float")


@uses
@energies
def test_fault_3_batches_that_differ_are_refused(use, build):
    y = _normal(4, 2)
    refused(ShapeError, lambda: use(build(), _normal(3, 2), y), "x", "y", "3", "4")
    use(build(), _normal(4, 2), y)


@inferences
def test_fault_3_batches_that_differ_are_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy())
    refused(ShapeError, lambda: free(_normal(3, 2), _normal(4, 2)), "(3,)", "(4,)")
    energy = _latent_energy()
    refused(
        ShapeError, lambda: energy(_normal(4, 2), _normal(4, 2), _normal(5, 2)), "z (5,)", "y (4,)"
    )
    assert energy(_normal(4, 2), _normal(4, 2), _normal(5, 1, 2)).shape == (5, 4)


@uses
@energies
def test_fault_4_an_empty_batch_is_refused_by_name(use, build):
    with pytest.raises(ShapeError, match=r"\b[xy] has shape") as caught:
        use(build(), torch.zeros(0, 2), torch.zeros(0, 2))
    assert ", 2)" in str(caught.value)
    use(build(), torch.zeros(2, 2), torch.ones(2, 2))


@inferences
def test_fault_4_an_empty_batch_is_refused_with_a_latent(infer):
    free = _free(infer, _latent_energy())
    refused(ShapeError, lambda: free(torch.zeros(0, 2), torch.zeros(0, 2)), "x", "(0, 2)", "empty")


@pytest.mark.parametrize(
    "build", [lambda: _latent_energy(), lambda: Reconstruction(_Joined(nn.Linear(4, 2)))]
)
def test_fault_5_a_z_without_batch_is_refused(build):
    energy, x, y = build(), _normal(4, 2), _normal(4, 2)
    refused(ShapeError, lambda: energy(x, y, _normal(2)), "z has shape (2,)", "z[None]")
    refused(ShapeError, lambda: energy(x, y, torch.tensor(0.0)), "z has shape ()")
    torch.testing.assert_close(
        energy(x, y, _normal(2)[None]), energy(x, y, _normal(2).repeat(4, 1))
    )
