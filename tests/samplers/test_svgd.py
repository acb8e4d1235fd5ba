"""SVGD: formulas by hand, naive loops, and where the population ends."""

import math

import pytest
import torch
from problems import COVARIANCE_2, F64, f64, generator, randn
from samplers_support import bowl
from torch import Tensor

from ebmlab.energies import Gaussian
from ebmlab.samplers import run
from ebmlab.samplers.svgd import SVGD
from ebmlab.types import Potential, State


def steep(y: Tensor) -> Tensor:
    return (y.pow(4) + y.square()).reshape(len(y), -1).sum(1)


def moved(kernel: SVGD, u, y: Tensor) -> Tensor:
    u = Potential(u)
    return kernel.step(u, kernel.init(u, y, generator()), generator())[0].y


def by_loops(y: Tensor, step_size: float, h: float) -> Tensor:
    """The paper's formula, with the kernel's gradient left to autograd."""
    after = y.clone()
    for i in range(len(y)):
        push = torch.zeros_like(y[i])
        for j in range(len(y)):
            free = y[j].clone().requires_grad_()
            k = (-(free - y[i]).square().sum() / h).exp()
            (repulsion,) = torch.autograd.grad(k, free)
            downhill = -(4 * y[j] ** 3 + 2 * y[j])
            push += k.detach() * downhill + repulsion
        after[i] += step_size * push / len(y)
    return after


class Gathering(SVGD):
    """Without repulsion: the gradient alone, smoothed."""

    def move(self, u, state, noise):
        flat = state.y.flatten(1)
        near = (-torch.cdist(flat, flat).square() / self.bandwidth).exp()
        y = state.y - self.step_size / len(flat) * near @ state.grad
        return State(y, *u.value_and_grad(y)), super().move(u, state, noise)[1]


@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 2)])
@pytest.mark.parametrize("bandwidth", [0.3, 2.0])
def test_a_step_equals_the_formula_by_loops(shape, bandwidth):
    y = randn(7, *shape)
    torch.testing.assert_close(moved(SVGD(0.1, bandwidth), steep, y), by_loops(y, 0.1, bandwidth))


def test_the_bandwidth_is_the_median_of_the_pairs():
    y = randn(6, 2)
    pairs = f64([float((y[i] - y[j]).norm()) for i in range(6) for j in range(i)])
    h = float(pairs.sort().values[7]) ** 2 / math.log(6)
    torch.testing.assert_close(moved(SVGD(0.1), steep, y), by_loops(y, 0.1, h))
    far = y + 1e6
    torch.testing.assert_close(
        moved(SVGD(0.1), lambda y: bowl(y - 1e6), far) - 1e6,
        moved(SVGD(0.1), bowl, y),
        rtol=0,
        atol=1e-8,
    )


def test_one_particle_descends():
    y = randn(1, 3)
    chain = run(SVGD(0.05), steep, y, steps=30, rng=generator())
    for _ in range(30):
        y = y - 0.05 * (4 * y**3 + 2 * y)
    torch.testing.assert_close(chain.state.y, y)


def test_two_particles_by_hand():
    # At ±a, h given: a' = a + ε/2 [-a + k a + 4a k / h], k = exp(-4a² / h).
    a, h, eps = 0.7, 1.5, 0.2
    k = math.exp(-4 * a**2 / h)
    due = a + eps / 2 * (-a + k * a + 4 * a * k / h)
    got = moved(SVGD(eps, h), bowl, f64([[a], [-a]]))
    torch.testing.assert_close(got, f64([[due], [-due]]))
    # They come to rest where the bracket vanishes: exp(4a²/h) = 1 + 4/h.
    rest = math.sqrt(h / 4 * math.log(1 + 4 / h))
    chain = run(SVGD(1.0, h), bowl, f64([[a], [-a]]), steps=300, rng=generator())
    torch.testing.assert_close(chain.state.y, f64([[rest], [-rest]]))


def test_the_population_takes_a_gaussian_s_moments():
    density, start = Gaussian(f64([3.0, -1.0]), COVARIANCE_2), 0.1 * randn(100, 2, seed=1)
    chain = run(SVGD(1.0), density.given(), start, steps=400, rng=generator())
    y = chain.state.y
    again = moved(SVGD(1.0), density.given(), y)
    assert (again - y).abs().max() < 2e-3
    torch.testing.assert_close(y.mean(0), f64([3.0, -1.0]), rtol=0, atol=0.02)
    torch.testing.assert_close(y.T.cov(), COVARIANCE_2, rtol=0.1, atol=0)
    gathered = run(Gathering(0.5, 1.0), density.given(), start, steps=400, rng=generator())
    assert gathered.state.y.T.cov().diagonal().max() < 0.1


def test_what_is_at_rest_satisfies_stein_s_identity():
    # 1/n Σ_j [∇k(y_j, ·) - k(y_j, ·) ∇u(y_j)] = 0 at each particle: the mean of the Stein operator
    # over the population vanishes on the span of the kernel's functions there.
    start = torch.linspace(-1, 2, 6, dtype=F64)
    chain = run(SVGD(1.0, 0.5), bowl, start, steps=1000, rng=generator())
    y = chain.state.y
    difference = y[:, None] - y
    k = (-difference.square() / 0.5).exp()
    stein = (4 * difference * k - k * y).mean(1)
    assert stein.abs().max() < 1e-6
    assert 0.6 < y.var() < 1.0
    assert abs(y.mean()) < 1e-4


def test_particles_that_coincide_stay_finite_and_descend_as_one():
    y = torch.ones(5, 2, dtype=F64)
    one = run(SVGD(0.1), steep, y[:1], steps=5, rng=generator()).state.y
    five = run(SVGD(0.1), steep, y, steps=5, rng=generator()).state.y
    torch.testing.assert_close(five, one.expand(5, 2))
    mixed = torch.cat([y, randn(2, 2)])
    assert run(SVGD(0.1), steep, mixed, steps=5, rng=generator()).state.y.isfinite().all()


def test_no_random_number_is_drawn_and_single_precision_is_kept():
    rng = generator(3)
    before = rng.get_state()
    chain = run(SVGD(0.1), bowl, randn(5, 2).float(), steps=5, rng=rng)
    assert torch.equal(rng.get_state(), before)
    assert chain.state.y.dtype == torch.float32
    assert torch.equal(chain.acceptance, torch.ones(5))
