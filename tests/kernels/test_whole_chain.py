"""Whole chains in one kernel against `run` on the CPU, step by step."""

import pytest
import torch
from kernels_support import DEVICE, on_device
from problems import generator
from torch import Tensor

from ebmlab import run
from ebmlab.energies import MLP, Banana, DoubleWell, Funnel, Gaussian, GaussianMixture, Ring
from ebmlab.energy import Energy
from ebmlab.kernels.chain import WIDEST, columns, langevin_chain, width
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers import Langevin

pytest.importorskip("triton")

STEPS, STEP, TEMPERATURE = 3, 0.01, 0.7


def covariance(dim: int) -> Tensor:
    root = torch.randn(dim, dim, generator=generator(7))
    return root @ root.mT / dim + 0.5 * torch.eye(dim)


ENERGIES = {
    "double well": lambda: DoubleWell(2.0),
    "double well in 5": lambda: DoubleWell(1.5, 5),
    "ring": Ring,
    "banana": Banana,
    "funnel": lambda: Funnel(3),
    "gaussian": lambda: Gaussian(torch.tensor([0.5, -1.0]), covariance(2)),
    "gaussian in 19": lambda: Gaussian(torch.arange(19.0) / 9, covariance(19)),
    "mixture": lambda: GaussianMixture(
        torch.tensor([[-2.0, 0.0], [1.0, 1.5], [2.0, -2.0]]), 0.5, torch.tensor([1.0, 2.0, 3.0])
    ),
    "mixture in 3": lambda: GaussianMixture(covariance(3), 0.8),
    "network": lambda: MLP(2, hidden=(8, 12)),
    "network in 3": lambda: MLP(3, hidden=(20, 5)),
}
NAMES = pytest.mark.parametrize("name", ENERGIES)


def seeds(steps: int = STEPS) -> Tensor:
    return fresh_seeds(generator(5), steps)


def whole(energy: Energy, y: Tensor, steps: int = STEPS, **options) -> Tensor:
    slope = energy.to(DEVICE).given().in_kernel()
    assert slope is not None
    return langevin_chain(slope, y, seeds(steps).to(DEVICE), STEP, TEMPERATURE, **options).cpu()


def stepped(energy: Energy, y: Tensor, steps: int = STEPS, **options) -> Tensor:
    """What `run` does with the generator that the seeds came from."""
    kernel = Langevin(STEP, TEMPERATURE, **options)
    u = energy.cpu().given()
    return run(kernel, u, y.cpu(), steps=steps, rng=generator(5)).state.y


def close(got: Tensor, due: Tensor) -> None:
    torch.testing.assert_close(got, due, rtol=1e-5, atol=1e-5)


@NAMES
def test_a_chain_is_that_of_run_on_the_cpu(name):
    energy = ENERGIES[name]()
    y = 1.5 * on_device(9, energy.dim, seed=1)
    before = y.clone()
    got, due = whole(energy, y), stepped(energy, y)
    close(got, due)
    assert torch.equal(y, before)
    assert (due - y.cpu()).abs().max() > 0.05


def test_layouts_clamps_and_companions_change_nothing():
    energy, y = DoubleWell(2.0, 3), 3 * on_device(70, 3, seed=1)
    got = whole(energy, y, 1)
    close(got, stepped(energy, y, 1))
    assert torch.equal(whole(energy, y.mT.contiguous().mT, 1), got)
    assert torch.equal(whole(energy, y[:33], 1), got[:33])
    clamped = whole(energy, y, 1, clamp=0.5)
    close(clamped, stepped(energy, y, 1, clamp=0.5))
    assert (clamped - got).abs().max() > 0.1


def test_another_seed_or_step_would_be_seen():
    energy, y = DoubleWell(2.0), on_device(9, 2, seed=1)
    assert (whole(energy, y) - stepped(energy, y, STEPS + 1)).abs().max() > 1e-2
    slope = energy.given().in_kernel()
    held = [torch.tensor(n, dtype=torch.float64, device=DEVICE) for n in (STEP, TEMPERATURE)]
    close(langevin_chain(slope, y, seeds().to(DEVICE), *held).cpu(), stepped(energy, y))
    other = langevin_chain(slope, y, seeds().to(DEVICE) + 1, STEP, TEMPERATURE)
    assert (other.cpu() - stepped(energy, y)).abs().max() > 1e-2


def test_the_numbers_are_those_of_now_and_far_starts_have_a_slope():
    energy, y = MLP(2, hidden=(8, 8)), on_device(5, 2)
    before = whole(energy, y, 1)
    with torch.no_grad():
        energy.network[0].weight.mul_(40)
    close(whole(energy, y, 1), stepped(energy, y, 1))
    assert (before - whole(energy, y, 1)).abs().max() > 1e-4
    far = torch.tensor([[60.0, -45.0], [-1e3, 3e2]], device=DEVICE)
    close(whole(ENERGIES["mixture"](), far, 1), stepped(ENERGIES["mixture"](), far, 1))
    origin = torch.zeros(2, 2, device=DEVICE)
    close(whole(Ring(), origin, 1), stepped(Ring(), origin, 1))


def test_energies_that_no_kernel_knows_say_so():
    for energy in (
        DoubleWell(dim=WIDEST + 1),
        Gaussian(torch.zeros(WIDEST + 1), torch.eye(WIDEST + 1)),
        GaussianMixture(torch.zeros(2, WIDEST + 1), 1.0),
        MLP(2, x_dim=1),
        MLP(2, hidden=(8,)),
        MLP(2, hidden=(8, WIDEST + 1)),
        DoubleWell() + DoubleWell(),
    ):
        assert energy.given(torch.zeros(1)).in_kernel() is None
    assert DoubleWell(dim=WIDEST).given().in_kernel() is not None


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 9])
def test_the_columns_of_a_tile_put_places_side_by_side(dim):
    tile = columns(torch.arange(1.0, dim + 1)[None]).view(-1, 2)
    half = (dim + 1) // 2
    assert tile.numel() == width(dim)
    assert tile[:half, 0].tolist() == [*range(1, half + 1)]
    assert tile[: dim - half, 1].tolist() == [*range(half + 1, dim + 1)]
    assert tile.sum() == dim * (dim + 1) / 2


@pytest.mark.cuda
@NAMES
def test_long_cuda_chains_agree_with_the_cpu(name):
    energy = ENERGIES[name]()
    y = on_device(2000, energy.dim, seed=1)
    near = torch.isclose(whole(energy, y, 50), stepped(energy, y, 50), rtol=1e-3, atol=1e-3)
    assert near.all(1).double().mean() > 0.99


@pytest.mark.cuda
def test_the_network_of_the_tables_fits_on_the_device():
    energy, y = MLP(2), on_device(1000, 2, seed=1)
    close(whole(energy, y, 20), stepped(energy, y, 20))
