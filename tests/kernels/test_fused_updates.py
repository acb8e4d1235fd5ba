"""Triton's update against its plain-torch twin, in every layout; what it refuses."""

import pytest
import torch
from kernels_support import DEVICE, on_device, seed_of

from ebmlab.errors import DeviceError, DtypeError, ShapeError
from ebmlab.kernels.threefry import normals
from ebmlab.kernels.update import langevin_update

pytest.importorskip("triton")

from ebmlab.kernels import update_triton as fused

SEED = 2**40 + 3
STEP, TEMPERATURE = 0.1, 0.7


def close(got, due):
    """Equal to the rounding of single precision."""
    torch.testing.assert_close(got, due, rtol=2e-6, atol=2e-6)


def twin(y, grad, clamp=None, seed=SEED):
    """The same update by plain torch, on the CPU."""
    numbers = torch.tensor(seed), STEP, TEMPERATURE
    return langevin_update(y.cpu(), grad.cpu(), *numbers, clamp=clamp).to(DEVICE)


def kernel(y, grad, clamp=None, seed=SEED, tile=64, numbers=(STEP, TEMPERATURE)):
    return fused.langevin(y, grad, seed_of(seed), *numbers, clamp, tile)


SHAPES = [(3,), (5, 1), (33, 2), (9, 7), (4, 3, 4), (1, 300)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_the_kernel_is_its_twin(shape, clamp):
    y, grad = on_device(*shape, seed=1), on_device(*shape, seed=2)
    before = y.clone(), grad.clone()
    got, due = kernel(y, grad, clamp), twin(y, grad, clamp)
    close(got, due)
    assert torch.equal(y, before[0])
    assert torch.equal(grad, before[1])
    assert (due - twin(y, grad, clamp, seed=SEED + 1)).abs().max() > 1e-2


def test_the_twin_is_its_formula():
    y, grad = on_device(20, 3, seed=1).cpu(), 3 * on_device(20, 3, seed=2).cpu()
    noise = normals(torch.tensor(SEED), y)
    close(twin(y, grad).cpu(), y - 0.1 * grad + 0.14**0.5 * noise)
    close(twin(y, grad, 1.0).cpu(), y - 0.1 * grad.clamp(-1, 1) + 0.14**0.5 * noise)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_coordinates_that_lie_side_by_side_stay_so(dim):
    y, grad = on_device(dim, 40, seed=1).mT, on_device(dim, 40, seed=2).mT
    got = kernel(y, grad, tile=16)
    close(got, twin(y, grad))
    assert got.stride() == y.stride()
    assert torch.equal(kernel(y, grad.contiguous()), got)
    wide = on_device(6, 80, seed=3)[:, ::2]
    close(kernel(wide, wide), twin(wide.contiguous(), wide.contiguous()))
    assert kernel(y[:0], grad[:0]).shape == (0, dim)


def test_numbers_may_lie_on_the_device():
    y, grad = on_device(20, 4, seed=1), on_device(20, 4, seed=2)
    held = [torch.tensor(n, dtype=torch.float64, device=DEVICE) for n in (STEP, TEMPERATURE)]
    close(kernel(y, grad, numbers=held), twin(y, grad))
    close(kernel(y, grad, numbers=(held[0], TEMPERATURE)), twin(y, grad))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's, in the interpreter
def test_nan_and_infinite_gradients_are_seen_through_the_clamp():
    y = on_device(2, 4)
    for bad in (torch.nan, torch.inf, -torch.inf):
        assert kernel(y, torch.full_like(y, bad), clamp=0.5).isnan().all()
        assert twin(y, torch.full_like(y, bad), clamp=0.5).isnan().all()


def test_what_does_not_fit_is_refused():
    y, seed = torch.zeros(2, 3), torch.tensor(1)
    langevin_update(y, y, seed, 0.1)
    with pytest.raises(ShapeError, match=r"grad has shape \(3, 2\), y \(2, 3\)"):
        langevin_update(y, y.mT, seed, 0.1)
    with pytest.raises(DtypeError, match=r"grad is torch\.float64"):
        langevin_update(y, y.double(), seed, 0.1)
    with pytest.raises(DtypeError, match=r"y has dtype torch\.int64"):
        langevin_update(y.long(), y.long(), seed, 0.1)
    with pytest.raises(DeviceError, match="grad is on meta"):
        langevin_update(y, y.to("meta"), seed, 0.1)
    with pytest.raises(ShapeError, match=r"seed has shape \(2,\)"):
        langevin_update(y, y, seed.expand(2), 0.1)
    with pytest.raises(DtypeError, match=r"seed is torch\.float32"):
        langevin_update(y, y, seed.float(), 0.1)


@pytest.mark.cuda
def test_cuda_tensors_take_the_kernel_and_agree_with_the_cpu():
    for shape in ((1000, 128), (1000, 3), (7, 3, 11)):
        y, grad = on_device(*shape, seed=1), on_device(*shape, seed=2)
        got = langevin_update(y, grad, seed_of(SEED), STEP, TEMPERATURE, clamp=0.5)
        close(got, twin(y, grad, 0.5))
        double = langevin_update(y.double(), grad.double(), seed_of(SEED), STEP, TEMPERATURE)
        assert double.dtype == torch.float64
