"""Triton's updates against their plain-torch twins; their noise; what they refuse."""

import pytest
import torch
from kernels_support import DEVICE, looks_normal, on_device, seed_of, uncorrelated
from problems import generator, has_variance, randn

from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError
from ebmlab.kernels.philox import fresh_seed, normals
from ebmlab.kernels.update import kick_drift, langevin_update, refreshed_kick_drift
from ebmlab.samplers._steps.leapfrog import Phase, leap
from ebmlab.samplers.metric import IDENTITY
from ebmlab.types import Potential

pytest.importorskip("triton")
from ebmlab.kernels import update_triton as fused

SEED = 2**40 + 3
STEP, TEMPERATURE = 0.1, 0.7
SIZE = (2 * STEP * TEMPERATURE) ** 0.5


def close(got, due):
    """Equal to the rounding of single precision."""
    torch.testing.assert_close(got, due, rtol=2e-6, atol=2e-6)


def twin(y, grad, clamp=None, offset=0, seed=SEED):
    """The same update by plain torch, on the CPU."""
    return langevin_update(
        y.cpu(), grad.cpu(), torch.tensor(seed), STEP, TEMPERATURE, clamp=clamp, offset=offset
    ).to(DEVICE)


def kernel(y, grad, clamp=None, offset=0, seed=SEED, block=32):
    return fused.langevin(y, grad, seed_of(seed), STEP, SIZE, clamp, offset, block)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (5,), (127,), (128,), (129,), (7, 3, 11)])
@pytest.mark.parametrize("clamp", [None, 0.5])
def test_langevin_is_its_twin(shape, clamp):
    y, grad = on_device(*shape, seed=1), on_device(*shape, seed=2)
    before = y.clone(), grad.clone()
    got = kernel(y, grad, clamp)
    close(got, twin(y, grad, clamp))
    assert got.shape == y.shape
    assert torch.equal(y, before[0])
    assert torch.equal(grad, before[1])
    assert (got - twin(y, grad, clamp, seed=SEED + 1)).abs().max() > 1e-3


def test_langevin_is_its_formula():
    y, grad = on_device(200, seed=1), 3 * on_device(200, seed=2)
    noise = normals(seed_of(SEED), y)
    close(kernel(y, grad), y - 0.1 * grad + 0.14**0.5 * noise)
    close(kernel(y, grad, clamp=1.0), y - 0.1 * grad.clamp(-1, 1) + 0.14**0.5 * noise)


OFFSETS = [1, 16, 2**31 - 5, 2**31 + 5, 2**32 - 5, 2**32 + 5, 2**50]


def test_offsets_reach_beyond_one_word():
    y, grad = on_device(100, seed=1), on_device(100, seed=2)
    moved = []
    for offset in OFFSETS:
        got = kernel(y, grad, offset=offset)
        close(got, twin(y, grad, offset=offset))
        assert all(((got - other).abs() > 1e-6).all() for other in moved)
        moved.append(got)
    # An offset larger by one skips four elements, across the words' border too.
    zero = torch.zeros_like(y)
    for offset in OFFSETS:
        here, next_one = kernel(zero, zero, offset=offset), kernel(zero, zero, offset=offset + 1)
        assert torch.equal(here[4:], next_one[:-4])


def test_the_block_size_changes_nothing():
    y, grad, momentum = (on_device(301, seed=k) for k in range(3))
    seed = seed_of(SEED)
    for block in (16, 256):
        assert torch.equal(kernel(y, grad, 0.5, block=block), kernel(y, grad, 0.5, block=64))
        got = fused.refreshed_kick_drift(y, grad, seed, 0.3, 5, block)
        assert all(map(torch.equal, got, fused.refreshed_kick_drift(y, grad, seed, 0.3, 5)))
        got = fused.kick_drift(y, momentum, grad, 0.3, block)
        assert all(map(torch.equal, got, fused.kick_drift(y, momentum, grad, 0.3)))


def test_the_same_seed_and_offset_give_the_same_update_and_others_do_not():
    y, grad = on_device(100, seed=1), on_device(100, seed=2)
    first = kernel(y, grad, offset=7)
    assert torch.equal(first, kernel(y, grad, offset=7))
    for other in (kernel(y, grad, offset=7, seed=SEED + 2**32), kernel(y, grad, offset=32)):
        assert ((first - other).abs() > 1e-6).all()


def test_tensors_that_are_not_contiguous_are_read_by_their_index():
    wide = on_device(6, 40, seed=1)
    y, grad, momentum = wide.mT, wide[:, 1::2].repeat(1, 2).mT, on_device(12, 40)[::2].mT
    assert not any(t.is_contiguous() for t in (y, grad, momentum))
    close(kernel(y, grad), twin(y.contiguous(), grad.contiguous()))
    close(kernel(y.expand(2, 40, 6), grad.expand(2, 40, 6))[0], kernel(y, grad))
    due = kick_drift(y.contiguous(), momentum.contiguous(), grad.contiguous(), 0.3)
    close(fused.kick_drift(y, momentum, grad, 0.3), due)
    assert kernel(y[:0], grad[:0]).shape == (0, 6)


def test_nan_gradients_come_through_the_clamp():
    y, grad = on_device(8), torch.full((8,), torch.nan, device=DEVICE)
    assert kernel(y, grad, clamp=0.5).isnan().all()
    assert twin(y, grad, clamp=0.5).isnan().all()
    infinite = torch.full_like(grad, torch.inf)
    close(kernel(y, infinite, clamp=0.5), kernel(y, 0.5 + 0 * y))


@pytest.mark.parametrize("shape", [(1,), (5,), (128,), (7, 3, 11)])
def test_half_a_leapfrog_step_is_its_twin(shape):
    y, grad, momentum = (on_device(*shape, seed=k) for k in range(3))
    due = kick_drift(y.cpu(), momentum.cpu(), grad.cpu(), 0.3)
    got = fused.kick_drift(y, momentum, grad, 0.3, 32)
    close(got, tuple(part.to(DEVICE) for part in due))
    due = refreshed_kick_drift(y.cpu(), grad.cpu(), torch.tensor(SEED), 0.3, offset=2**33)
    got = fused.refreshed_kick_drift(y, grad, seed_of(SEED), 0.3, 2**33, 32)
    close(got, tuple(part.to(DEVICE) for part in due))


def test_two_halves_are_a_leapfrog_step():
    u = Potential(lambda y: y.pow(4).sum(1))
    y, momentum = randn(5, 3, seed=1), randn(5, 3, seed=2)
    phase = Phase(y, *u.value_and_grad(y), momentum)
    due = leap(u, IDENTITY, phase, 0.05)
    moved, half = kick_drift(y, momentum, phase.grad, 0.05)
    grad = u.value_and_grad(moved)[1]
    torch.testing.assert_close((moved, half - 0.025 * grad), (due.y, due.momentum))
    # The kinetic energy at the start is recovered from the half-kicked momentum.
    torch.testing.assert_close(half + 0.025 * phase.grad, momentum)


def test_the_kernel_s_noise_is_normal_and_a_reused_offset_is_seen():
    zero, seed = torch.zeros(100_000, device=DEVICE), int(fresh_seed(generator(1)))
    pushes = [kernel(zero, zero, offset=k, seed=seed, block=8192) for k in (0, 25_000)]
    first, second = (push / SIZE for push in pushes)
    assert looks_normal(first)
    assert has_variance(pushes[0].cpu(), 2 * STEP * TEMPERATURE)
    assert not has_variance(pushes[0].cpu(), 1.05 * 2 * STEP * TEMPERATURE)
    assert uncorrelated(first, second)
    assert not uncorrelated(first, kernel(zero, zero, seed=seed, block=8192) / SIZE)
    momentum = fused.refreshed_kick_drift(zero, zero, seed_of(seed), 0.3, 50_000, 8192)[1]
    assert looks_normal(momentum)
    assert uncorrelated(first, momentum)
    assert uncorrelated(second, momentum)


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
    with pytest.raises(ShapeError, match="seed has shape"):
        refreshed_kick_drift(y, y, seed.expand(2), 0.1)
    with pytest.raises(ConfigurationError, match="offset is -1"):
        langevin_update(y, y, seed, 0.1, offset=-1)
    with pytest.raises(ShapeError, match="momentum has shape"):
        kick_drift(y, y[:1], y, 0.1)


@pytest.mark.cuda
def test_cuda_tensors_take_the_kernel_and_agree_with_the_cpu():
    y, grad, momentum = (on_device(1000, 3, seed=k) for k in range(3))
    seed = seed_of(SEED)
    got = langevin_update(y, grad, seed, STEP, TEMPERATURE, clamp=0.5, offset=3)
    assert torch.equal(got, kernel(y, grad, 0.5, offset=3, block=128))
    close(got, twin(y, grad, 0.5, offset=3))
    close(kick_drift(y, momentum, grad, 0.3), fused.kick_drift(y, momentum, grad, 0.3))
    close(
        refreshed_kick_drift(y, grad, seed, 0.3, offset=3),
        fused.refreshed_kick_drift(y, grad, seed, 0.3, 3),
    )
    double = langevin_update(y.double(), grad.double(), seed, STEP, TEMPERATURE)
    close(double.float(), twin(y, grad))
    assert double.dtype == torch.float64
