"""Densities: values, slopes and log Z against formulas and quadrature."""

import math

import pytest
import torch
from energies_support import WIDE
from problems import COVARIANCE_2, COVARIANCE_3, F64, MEANS, WEIGHTS, f64, log_integral, randn
from scipy import integrate
from torch import Tensor, distributions

from ebmlab.energies import Banana, DoubleWell, Funnel, Gaussian, GaussianMixture, Ring, Uniform
from ebmlab.errors import DtypeError


def _gaussian_3(y: Tensor) -> Tensor:
    normal = distributions.MultivariateNormal(f64([1.0, 0.0, -2.0]), COVARIANCE_3)
    return normal.log_prob(torch.zeros(3, dtype=F64) + normal.mean) - normal.log_prob(y)


def _mixture(y: Tensor) -> Tensor:
    terms = [
        w * torch.exp(-((y[:, 0] - m[0]) ** 2 + (y[:, 1] - m[1]) ** 2) / (2 * 0.5**2))
        for w, m in zip(WEIGHTS / 6, MEANS, strict=True)
    ]
    return -torch.log(sum(terms[1:], terms[0]))


FORMULAS = {
    "gaussian": (Gaussian(f64([1.0, 0.0, -2.0]), COVARIANCE_3), _gaussian_3),
    "mixture": (GaussianMixture(MEANS, 0.5, WEIGHTS), _mixture),
    "double well": (
        DoubleWell(1.7, dim=3),
        lambda y: 1.7 * (y[:, 0] ** 4 - 2 * y[:, 0] ** 2 + 1) + (y[:, 1] ** 2 + y[:, 2] ** 2) / 2,
    ),
    "ring": (
        Ring(1.5, 0.4),
        lambda y: ((y[:, 0] ** 2 + y[:, 1] ** 2) ** 0.5 - 1.5) ** 2 / (2 * 0.16),
    ),
    "banana": (
        Banana(1.4, 0.6, 0.3),
        lambda y: (
            y[:, 0] ** 2 / (2 * 1.96) + (y[:, 1] - 0.6 * (y[:, 0] ** 2 - 1.96)) ** 2 / (2 * 0.09)
        ),
    ),
    "funnel": (
        Funnel(3, 2.0),
        lambda y: (
            -distributions.Normal(f64(0.0), f64(2.0)).log_prob(y[:, 0])
            - distributions.Normal(f64(0.0), (y[:, :1] / 2).exp()).log_prob(y[:, 1:]).sum(1)
            - 1.5 * math.log(2 * math.pi)
            - math.log(2.0)
        ),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_density_and_its_gradient_equal_the_formula(name):
    energy, formula = FORMULAS[name]
    y = randn(200, energy.dim, seed=1).requires_grad_()
    value, expected = energy(None, y), formula(y)
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-11)
    slopes = [torch.autograd.grad(e.sum(), y)[0] for e in (value, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        energy.log_prob(y), -expected - float(energy.log_z), rtol=1e-6, atol=1e-6
    )


LOG_Z = {
    "gaussian d=1": (Gaussian(f64([0.3]), f64([[0.7]])), [WIDE]),
    "gaussian d=2": (Gaussian(f64([0.3, -1.0]), COVARIANCE_2), [WIDE] * 2),
    "gaussian d=3": (Gaussian(f64([0.3, -1.0, 0.0]), COVARIANCE_3), [WIDE[9:-9]] * 3),
    "mixture d=1": (GaussianMixture(MEANS[:, :1], 0.6, WEIGHTS), [WIDE]),
    "mixture d=2": (GaussianMixture(MEANS, 0.5, WEIGHTS), [WIDE] * 2),
    **{
        f"double well h={height} d={dim}": (
            DoubleWell(height, dim),
            [torch.linspace(-6, 6, 1201, dtype=F64), WIDE][:dim],
        )
        for height in (0.05, 0.5, 2.0, 10.0, 100.0)
        for dim in (1, 2)
    },
    # The inner sum over y₂ is exact for each y₁, whose own density is then a plain Gaussian.
    "banana": (Banana(1.0, 1.0, 0.3), [WIDE[20:-20], torch.linspace(-4, 90, 941, dtype=F64)]),
    "wide banana": (Banana(1.5, -0.4, 0.5), [WIDE, torch.linspace(-85, 6, 911, dtype=F64)]),
}


@pytest.mark.parametrize("name", LOG_Z)
def test_log_z_equals_quadrature(name):
    energy, axes = LOG_Z[name]
    assert float(energy.log_z) == pytest.approx(
        log_integral(lambda y: energy(None, y), *axes), abs=1e-6
    )


@pytest.mark.parametrize(("radius", "width"), [(2.0, 0.2), (1.0, 1.0), (0.3, 2.0), (5.0, 0.01)])
def test_log_z_of_a_ring_equals_quadrature_in_polar_coordinates(radius, width):
    ring = Ring(radius, width)

    def shell(r: float) -> float:
        return 2 * math.pi * r * math.exp(-float(ring(None, f64([r, 0.0]))))

    lowest = max(0.0, radius - 12 * width)
    total = integrate.quad(shell, lowest, radius, epsabs=1e-13)[0]
    total += integrate.quad(shell, radius, radius + 12 * width, epsabs=1e-13)[0]
    assert float(ring.log_z) == pytest.approx(math.log(total), abs=1e-6)
    turned = 1.3 * torch.stack([WIDE.cos(), WIDE.sin()], dim=-1)
    torch.testing.assert_close(ring(None, turned), ring(None, f64([1.3, 0.0])).expand(len(WIDE)))


@pytest.mark.parametrize(("dim", "scale"), [(2, 3.0), (3, 1.0)])
def test_log_z_of_a_funnel_equals_quadrature_in_stretched_coordinates(dim, scale):
    funnel = Funnel(dim, scale)

    def stretched(point: Tensor) -> Tensor:
        v, t = point[:, :1], point[:, 1:]
        y = torch.cat([v, (v / 2).exp() * t], dim=1)
        return funnel(None, y) - (dim - 1) * v[:, 0] / 2

    axes = [torch.linspace(-10 * scale, 10 * scale, 81, dtype=F64), *[WIDE[::2]] * (dim - 1)]
    assert float(funnel.log_z) == pytest.approx(log_integral(stretched, *axes), abs=1e-6)


def test_log_z_of_a_box_equals_the_midpoint_rule():
    box = Uniform(f64([-1.0, 0.5]), f64([2.0, 1.0]))
    middles = torch.arange(-3, 3, 0.125, dtype=F64) + 0.0625
    assert float(box.log_z) == pytest.approx(
        log_integral(lambda y: box(None, y), middles, middles), abs=1e-12
    )
    outside = box(None, f64([[2.0, 0.5], [2.01, 0.6], [-1.0, 1.01]])).isposinf()
    assert outside.tolist() == [False, True, True]


def test_a_wrong_log_z_would_be_seen():
    energy, axes = LOG_Z["gaussian d=2"]
    assert float(energy.log_z) != pytest.approx(
        log_integral(lambda y: 1.00001 * energy(None, y), *axes), abs=1e-6
    )


def test_a_gradient_by_hand_refuses_integers_as_autograd_s_does():
    integers = torch.zeros(3, 2, dtype=torch.long)
    for density in (Gaussian(torch.zeros(2), torch.eye(2)), DoubleWell()):
        with pytest.raises(DtypeError, match="int64"):
            density.given().value_and_grad(integers)
