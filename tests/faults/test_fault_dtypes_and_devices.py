import pytest
import torch
from faults_support import (
    ENERGIES,
    USES,
    _Joined,
    _noise,
    _normal,
    _rng,
    energies,
    inferences,
    refused,
    slopes,
    uses,
)
from torch import nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import MLP, Reconstruction
from ebmlab.errors import DeviceError, DtypeError
from ebmlab.inference import Descent
from ebmlab.negatives import FromData, Replay
from ebmlab.samplers import Langevin


@uses
@energies
def test_fault_6_single_and_double_precision_do_not_mix(use, build):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    refused(DtypeError, lambda: use(build(), x.double(), y), "x", "float64", "float32")
    refused(DtypeError, lambda: use(build(), x, y.double()), "y", "float64", "float32")
    use(build(), x, y)
    use(build().double(), x.double(), y.double())


@uses
@pytest.mark.parametrize("name", ["network", "embedding"])
def test_fault_6_data_in_double_meets_no_network_in_single_precision(use, name):
    x, y = _normal(4, 2).double(), _normal(4, 2).double()
    refused(DtypeError, lambda: use(ENERGIES[name](), x, y), "float64", "float32")


@inferences
def test_fault_6_a_latent_in_another_precision_is_refused(infer):
    x, y = _normal(4, 2), _normal(4, 2)
    energy = Reconstruction(_Joined(nn.Linear(4, 2)))
    inference, temperature = infer()
    free = FreeEnergy(energy, inference.double(), temperature)
    refused(DtypeError, lambda: free(x, y), "float64", "float32")
    FreeEnergy(energy, inference.float(), temperature)(x, y)


@slopes
def test_fault_7_integers_have_no_gradient(use):
    quadratic = FunctionEnergy(lambda y: 0.5 * y.float().square().sum(-1))
    refused(DtypeError, lambda: use(quadratic, None, torch.ones(4, 2).long()), "y", "int64")
    use(quadratic, None, torch.ones(4, 2))


def test_fault_7_integer_starts_of_a_descent_are_refused():
    energy = Reconstruction(nn.Identity(), takes_x=False)
    starts = torch.ones(3, 2).long()
    free = FreeEnergy(energy, Descent(starts, steps=2))
    refused(DtypeError, lambda: free(None, _normal(4, 2)), "int64")
    FreeEnergy(energy, Descent(starts.float(), steps=2))(None, _normal(4, 2))


@uses
@energies
def test_fault_8_x_and_y_on_different_devices_are_refused(use, build):
    x, y = _normal(4, 2), _normal(4, 2)
    refused(DeviceError, lambda: use(build(), x.to("meta"), y), "meta", "cpu")
    refused(DeviceError, lambda: use(build(), x, y.to("meta")), "meta", "cpu")
    use(build(), x, y)


def test_faults_6_and_8_autocast_casts_halves_but_excuses_neither_double_nor_device():
    y = _normal(4, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert MLP(2)(None, y.bfloat16()).isfinite().all()
        refused(DtypeError, lambda: MLP(2)(None, y.double()), "float64", "float32")
        refused(DeviceError, lambda: MLP(2)(None, y.to("meta")), "MLP", "meta", "cpu")


@pytest.mark.parametrize("name", ["energy", "potential", "in_batch", "contrastive", "regularized"])
def test_fault_8_a_network_elsewhere_is_refused(name):
    energy, y = MLP(2, x_dim=2), _normal(4, 2)
    refused(DeviceError, lambda: USES[name](energy.to("meta"), y, y), "MLP", "meta", "cpu")


@inferences
def test_fault_8_a_latent_elsewhere_is_refused(infer):
    inference, temperature = infer()
    energy = FunctionEnergy(lambda x, y, z: (x + y - z).square().sum(-1), ("x", "y", "z"))
    free = FreeEnergy(energy, inference.to("meta"), temperature)
    refused(DeviceError, lambda: free(_normal(4, 2), _normal(4, 2)), "meta", "cpu")


def test_fault_8_a_pool_and_a_noise_density_elsewhere_are_refused():
    energy, y = MLP(2), _normal(4, 2)
    replay = Replay(torch.zeros(9, 2), Langevin(0.01), 2).to("meta")
    refused(DeviceError, lambda: replay(energy, None, y, _rng()), "pool", "meta", "cpu")
    refused(DeviceError, lambda: _noise().to("meta")(energy, None, y, _rng()), "meta", "cpu")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fault_9_half_precision_points_move_in_single_precision(dtype):
    # Steps of 1e-4 are below half a unit in the last place at 2: half precision would stand still.
    slope = FunctionEnergy(lambda y: y.sum(-1))
    y = torch.full((4, 2), 2.0, dtype=dtype)
    draw = FromData(Langevin(1e-4, temperature=0.0), 500)(slope, None, y, _rng())
    assert draw.energies.dtype == torch.float32
    torch.testing.assert_close(draw.energies.float(), torch.full((4, 1), 3.9), rtol=0, atol=0.02)
    stuck = y.clone()
    for _ in range(500):
        stuck = stuck - 1e-4
    assert torch.equal(stuck, y)
