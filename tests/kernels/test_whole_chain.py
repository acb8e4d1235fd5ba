"""Whole chains in one kernel against plain torch, autograd and the laws they sample."""

import pytest
import torch
from kernels_support import DEVICE, on_device, seed_of
from problems import F64, PLANE, generator, has_variance, randn
from torch import Tensor

from ebmlab.energies import DoubleWell, Gaussian, GaussianMixture
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.kernels.chain import GaussianSlope, MixtureSlope, WellSlope, langevin_chain
from ebmlab.kernels.philox import fresh_seed, randn4x

pytest.importorskip("triton")
from ebmlab.kernels import chain_triton as fused

MEANS = torch.tensor([[-2.0, 0.0], [1.0, 1.5], [2.0, -2.0]])
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])


def slopes(like: Tensor) -> dict:
    """Each slope in a tensor's type and place."""
    return {
        "well": WellSlope(torch.tensor(2.0).to(like)),
        "gaussian": GaussianSlope(
            torch.tensor([0.5, -1.0]).to(like), torch.tensor([1.0, 4.0]).to(like)
        ),
        "mixture": MixtureSlope(
            MEANS.to(like), torch.tensor(4.0).to(like), (WEIGHTS / 6).log().to(like)
        ),
    }


ENERGIES = {
    "well": DoubleWell(2.0),
    "gaussian": Gaussian(
        torch.tensor([0.5, -1.0], dtype=F64), torch.tensor([1.0, 0.25], dtype=F64).diag()
    ),
    "mixture": GaussianMixture(MEANS.double(), 0.5, WEIGHTS.double()),
}
NAMES = pytest.mark.parametrize("name", ENERGIES)
SEED, STEP, TEMPERATURE = 2**40 + 3, 0.01, 0.7
SIZE = (2 * STEP * TEMPERATURE) ** 0.5


def twin(name: str, y: Tensor, steps: int, first: int = 0, seed: int = SEED) -> Tensor:
    """The chain by plain torch, on the CPU."""
    y, key = y.cpu(), torch.tensor(seed)
    return langevin_chain(
        slopes(y)[name], y, key, steps=steps, step_size=STEP, temperature=TEMPERATURE, first=first
    ).to(DEVICE)


def kernel(name: str, y: Tensor, steps: int, first: int = 0, block: int = 128) -> Tensor:
    slope, seed = slopes(y)[name], seed_of(SEED)
    return fused.chain(slope.fused(), y, seed, steps, STEP, SIZE, first, block)


def close(got: Tensor, due: Tensor) -> None:
    """Equal to single precision's rounding, after some steps."""
    torch.testing.assert_close(got, due, rtol=1e-5, atol=1e-5)


@NAMES
def test_a_slope_is_the_energy_s_gradient(name):
    y = 2 * randn(50, 2, seed=1)
    due = ENERGIES[name].given().value_and_grad(y)[1]
    got = torch.stack(slopes(y)[name](*y.unbind(1)), dim=1)
    torch.testing.assert_close(got, due)


@NAMES
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_kernel_is_its_twin(name, steps):
    y = 1.5 * on_device(70, 2, seed=1)
    before = y.clone()
    got = kernel(name, y, steps)
    close(got, twin(name, y, steps))
    assert torch.equal(y, before)
    assert (got - twin(name, y, steps, seed=SEED + 1)).abs().max() > 1e-2
    assert (got - twin(name, y, steps + 1)).abs().max() > 1e-2


@NAMES
def test_the_kernel_is_a_loop_of_langevin_steps(name):
    y = 1.5 * on_device(30, 2, seed=1)
    index, u = torch.arange(30, device=DEVICE), ENERGIES[name].given()
    due = y.double().cpu()
    for step in range(6):
        numbers = randn4x(seed_of(SEED), (step // 2) * 2**32 + index)
        pushes = numbers[2:] if step % 2 else numbers[:2]
        push = torch.stack(pushes, dim=1).double().cpu()
        due = due - 0.01 * u.value_and_grad(due)[1] + 0.014**0.5 * push
    close(kernel(name, y, 6), due.float().to(DEVICE))


def test_blocks_and_companions_change_nothing():
    y = on_device(70, 2, seed=1)
    whole = kernel("mixture", y, 3)
    assert torch.equal(kernel("mixture", y, 3, block=16), whole)
    assert torch.equal(kernel("mixture", y[:33], 3), whole[:33])
    assert torch.equal(kernel("mixture", y.mT.contiguous().mT, 3), whole)
    assert torch.equal(kernel("mixture", y, 3), whole)
    assert kernel("well", y[:0], 5).shape == (0, 2)


@NAMES
def test_a_chain_goes_on_where_it_stopped(name):
    y = on_device(70, 2, seed=1)
    whole = kernel(name, y, 5)
    assert torch.equal(kernel(name, kernel(name, y, 2), 3, first=2), whole)
    close(twin(name, twin(name, y, 2), 3, first=2), twin(name, y, 5))
    # Without `first` the numbers come again.
    assert not torch.equal(kernel(name, kernel(name, y, 2), 3), whole)


def test_a_far_start_of_a_mixture_has_a_slope():
    y = torch.tensor([[60.0, -45.0], [-1e4, 3e3]], device=DEVICE)
    got = kernel("mixture", y, 1)
    assert got.isfinite().all()
    close(got, twin("mixture", y, 1))


def test_a_gaussian_has_the_variance_of_its_chain():
    seed, start = fresh_seed(generator(1)), randn(20_000, 2, seed=2)
    slope = GaussianSlope(torch.zeros(2, dtype=F64), torch.tensor([1.0, 0.5], dtype=F64))
    end = langevin_chain(slope, start, seed, steps=60, step_size=0.5, temperature=0.7)
    # T / (p (1 - ε p / 2)); 0.75²⁴⁰ and 0.5²⁴⁰ of the start are left.
    assert has_variance(end[:, 0], 0.7 / (1 * (1 - 0.25)))
    assert has_variance(end[:, 1], 0.7 / (0.5 * (1 - 0.125)))
    assert not has_variance(end[:, 0], 0.7)
    assert not has_variance(end[:, 1], 0.7 / 0.5)


def test_a_mixture_keeps_its_exact_draws():
    problem = PLANE["mixture"]
    start = problem.density.sample(20_000, generator(3))
    slope = slopes(start)["mixture"]
    end = langevin_chain(slope, start, fresh_seed(generator(4)), steps=60, step_size=1e-3)
    assert (end - start).norm(dim=1).mean() > 0.2
    assert problem.accepts(end)
    backwards = langevin_chain(
        slopes(start)["well"], start, fresh_seed(generator(4)), steps=60, step_size=1e-3
    )
    assert not problem.accepts(backwards)


def test_what_is_no_chain_of_the_plane_is_refused():
    slope, y, seed = WellSlope(torch.tensor(2.0)), torch.zeros(3, 2), torch.tensor(1)
    options = {"steps": 2, "step_size": 0.1}
    langevin_chain(slope, y, seed, **options)
    for wrong in (torch.zeros(3), torch.zeros(3, 3), torch.zeros(2, 3, 2)):
        with pytest.raises(ShapeError, match="y has shape"):
            langevin_chain(slope, wrong, seed, **options)
    with pytest.raises(DtypeError, match="seed"):
        langevin_chain(slope, y, seed.float(), **options)
    for wrong in ({"steps": 0}, {"first": 3}, {"first": -2}):
        with pytest.raises(ConfigurationError, match=f"{[*wrong][-1]} is"):
            langevin_chain(slope, y, seed, **{**options, **wrong})


@pytest.mark.cuda
@NAMES
def test_cuda_chains_take_the_kernel_and_agree_with_the_cpu(name):
    y = on_device(5000, 2, seed=1)
    got = langevin_chain(
        slopes(y)[name], y, seed_of(SEED), steps=15, step_size=STEP, temperature=TEMPERATURE
    )
    assert torch.equal(got, kernel(name, y, 15, block=128))
    close(got, twin(name, y, 15))
