"""`FusedLangevin`: the law of Langevin, by numbers of its own."""

import math

import pytest
import torch
from problems import F64, fits, generator, log_gamma, log_gamma_cdf, log_gamma_draws, randn
from samplers_support import bowl

from ebmlab.errors import NonFiniteError
from ebmlab.kernels.philox import fresh_seed, normals
from ebmlab.samplers import Langevin, fused, run
from ebmlab.samplers.fused import FusedLangevin
from ebmlab.types import Potential


def test_it_keeps_exact_draws_of_a_skewed_law():
    start = log_gamma_draws(20_000, seed=3)
    chain = run(FusedLangevin(5e-3), log_gamma, start, steps=60, rng=generator(4))
    assert (chain.state.y - start).abs().mean() > 0.3
    assert fits(chain.state.y[:, 0], log_gamma_cdf)
    cold = run(FusedLangevin(5e-3, 0.5), log_gamma, start, steps=60, rng=generator(4))
    assert not fits(cold.state.y[:, 0], log_gamma_cdf)


def test_a_step_is_its_formula_with_the_seed_s_normals():
    u, y = Potential(lambda y: y.pow(4).sum((1, 2))), randn(5, 3, 2, seed=1)
    kernel = FusedLangevin(0.01, temperature=2.0, clamp=1.5)
    state = kernel.init(u, y, generator())
    moved, info = kernel.step(u, state, generator(7))
    noise = normals(fresh_seed(generator(7)), y)
    due = y - 0.01 * (4 * y**3).clamp(-1.5, 1.5) + math.sqrt(2 * 0.01 * 2.0) * noise
    torch.testing.assert_close(moved.y, due)
    torch.testing.assert_close((moved.energy, moved.grad), u.value_and_grad(due))
    assert torch.equal(info.acceptance, torch.ones(5, dtype=F64))
    plain = Langevin(0.01, temperature=2.0, clamp=1.5)
    torch.testing.assert_close(plain.move(u, state, noise)[0].y, due)


def test_single_and_double_precision_take_the_same_numbers():
    kernel, y = FusedLangevin(0.1), randn(50, 3)
    double = run(kernel, bowl, y, steps=20, rng=generator(5)).state.y
    single = run(kernel, bowl, y.float(), steps=20, rng=generator(5)).state.y
    torch.testing.assert_close(single, double.float(), rtol=1e-5, atol=1e-5)
    other = run(kernel, bowl, y, steps=20, rng=generator(6)).state.y
    assert (double - other).abs().max() > 0.1


def test_without_temperature_it_is_gradient_descent():
    y = randn(5, 3)
    chain = run(FusedLangevin(0.1, 0.0), lambda y: y.pow(4).sum(1), y, steps=9, rng=generator())
    for _ in range(9):
        y = y - 0.1 * 4 * y**3
    torch.testing.assert_close(chain.state.y, y)


def test_a_chain_that_leaves_the_numbers_is_named():
    with pytest.raises(NonFiniteError, match="chain 1 at step"):
        run(
            FusedLangevin(0.5, 0.0),
            lambda y: y.sqrt().sum(1),
            torch.tensor([[400.0], [1.0]]),
            steps=20,
            rng=generator(),
        )


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cuda_chain_is_the_cpu_s_to_rounding(dtype, monkeypatch):
    seeds = {device: iter(range(100, 120)) for device in ("cpu", "cuda")}

    def counted(rng: torch.Generator) -> torch.Tensor:
        return torch.tensor(next(seeds[rng.device.type]), device=rng.device)

    monkeypatch.setattr(fused, "fresh_seed", counted)
    kernel, y = FusedLangevin(0.1, clamp=1.0), randn(1000, 3).to(dtype)
    here = run(kernel, bowl, y, steps=20, rng=generator()).state.y
    there = run(kernel, bowl, y.cuda(), steps=20, rng=torch.Generator("cuda")).state.y
    torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)
