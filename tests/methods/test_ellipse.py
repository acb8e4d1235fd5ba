"""The ellipse: exact oracles of its free energy, and what training finds at each temperature."""

import math

import numpy as np
import pytest
import torch
from problems import F64, f64, fits, generator, log_integral, randn
from scipy import special, stats
from torch import Tensor

from ebmlab import Method, data, fit, methods
from ebmlab.data.manifolds import Ellipse
from ebmlab.errors import ConfigurationError
from ebmlab.training import Recording

RADII = (2.0, 1.5)


def radii(method: Method) -> Tensor:
    return method.get_parameter("energy.energy.decoder.w")


def trained(y: Tensor, temperature: float, steps: int) -> Method:
    """Descent with the step that solves for w at once if the angles of the data were known."""
    method = methods.ellipse(temperature).to(y.dtype)
    descent = torch.optim.SGD(method.parameters(), lr=1.0)
    how = {"steps": steps, "batch_size": len(y), "optimizer": descent}
    fit(method, (None, y), **how, record=Recording(every=steps))
    return method


def slope(method: Method, y: Tensor) -> float:
    (grad,) = torch.autograd.grad(method(None, y).value, [radii(method)])
    return float(grad.abs().max())


def curvature(method: Method, y: Tensor, at: tuple[float, float]) -> Tensor:
    """The second derivatives of the mean free energy in w1 and in w2."""
    w = f64(at).requires_grad_()

    def loss(w: Tensor) -> Tensor:
        name = "energy.energy.decoder.w"
        return torch.func.functional_call(method, {name: w}, (None, y)).value

    return torch.autograd.functional.hessian(loss, w).diagonal()


@pytest.mark.parametrize("axis", [0, 1])
def test_draws_are_a_blurred_ellipse(axis):
    angles = 2 * np.pi * (np.arange(600) + 0.5) / 600

    def cdf(radius):
        means = radius * np.cos(angles)
        return lambda t: stats.norm.cdf((t[:, None] - means) / 0.05).mean(1)

    y = data.ellipse(5000, generator())[:, axis]
    assert fits(y, cdf(RADII[axis]))
    assert not fits(y, cdf(1.1 * RADII[axis]))


def test_radii_that_vanish_and_missing_generators_are_refused():
    with pytest.raises(ConfigurationError, match="radii"):
        Ellipse((2.0, 0.0))
    with pytest.raises(ConfigurationError, match="noise"):
        Ellipse(noise=-1.0)
    with pytest.raises(ConfigurationError, match="rng"):
        data.ellipse(24)
    with pytest.raises(ConfigurationError, match="n is 0"):
        data.ellipse(0, generator())


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_the_recipe_is_a_minimum_over_48_angles_or_a_soft_one(temperature):
    method, y = methods.ellipse(temperature, w=(1.3, -0.7)).double(), randn(9, 2)
    z = method.energy.infer.atoms[:, 0]
    torch.testing.assert_close(z, torch.arange(48, dtype=F64) * (math.pi / 24), rtol=0, atol=1e-6)
    w = radii(method)
    each = (y[:, 0] - w[0] * z.cos()[:, None]) ** 2 + (y[:, 1] - w[1] * z.sin()[:, None]) ** 2
    soft = -0.4 * ((-each / 0.4).logsumexp(0) - math.log(48))
    expected = (soft if temperature else each.amin(0)).mean()
    value = method(None, y).value
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    found, due = (torch.autograd.grad(v, [w])[0] for v in (value, expected))
    torch.testing.assert_close(found, due, rtol=1e-10, atol=1e-12)


ORIGIN = {0.1: 3.106, 0.3: 3.068, 1.0: 2.942, 3.2: 2.680, 10.0: 2.449, math.inf: 2.25}


@pytest.mark.parametrize("beta", ORIGIN)
def test_the_free_energy_at_the_origin_is_a_bessel_function(beta):
    # E(0, z) = 3.125 + 0.875 cos 2z, so that F = 3.125 - log I0(0.875 β) / β.
    method = methods.ellipse(1 / beta, w=RADII).double()
    exact = 2.25 if math.isinf(beta) else 3.125 - math.log(special.iv(0, 0.875 * beta)) / beta
    found = float(method.energy(None, torch.zeros(1, 2, dtype=F64)).detach())
    assert abs(found - exact) < 1e-6
    assert round(found, 3) == ORIGIN[beta]


@pytest.mark.parametrize("w", [RADII, (0.3, -1.1), (0.0, 0.0), (1.7, 0.0)])
@pytest.mark.parametrize("beta", [0.3, 10.0])
def test_the_integral_of_exp_minus_beta_f_does_not_depend_on_the_weights(w, beta):
    method, reach = methods.ellipse(1 / beta, w=w).double(), 2.0 + 6 / math.sqrt(beta)
    axis = torch.linspace(-reach, reach, 161, dtype=F64)
    found = log_integral(lambda y: beta * method.energy(None, y), axis, axis)
    assert abs(found - math.log(math.pi / beta)) < 1e-9
    minimum = methods.ellipse(0.0, w=RADII).double()
    cold = log_integral(lambda y: beta * minimum.energy(None, y), axis, axis)
    assert abs(cold - math.log(math.pi / beta)) > 1e-3


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_the_signs_of_the_radii_have_no_meaning(temperature):
    y = randn(40, 2)
    values = [
        methods.ellipse(temperature, w=(a * 1.4, b * 0.6)).double().energy(None, y)
        for a in (1, -1)
        for b in (1, -1)
    ]
    for other in values[1:]:
        torch.testing.assert_close(other, values[0], rtol=1e-5, atol=1e-6)
    swapped = methods.ellipse(temperature, w=(0.6, 1.4)).double().energy(None, y)
    assert (swapped - values[0]).abs().max() > 0.1


def test_fifty_data_sets_of_24_points_give_the_true_radii_at_zero_temperature():
    found = []
    for seed in range(50):
        y = data.ellipse(rng=generator(seed)).double()
        method = trained(y, 0.0, 10)
        assert slope(method, y) < 1e-3
        found.append(radii(method).detach().abs())
    error = torch.stack(found) - f64(RADII)
    # Not only the mean: every single data set is within ±0.1 (they scatter by 0.024).
    assert error.abs().max() < 0.1
    assert (error.mean(0).abs() < 0.02).all()
    assert (error.std(0) < 0.035).all()
    warm = radii(trained(y, 1.0, 10)).detach().abs() - f64(RADII)
    assert warm.abs().max() > 0.1


OPTIMA = {1.0: (1.81, 1.34, 8), 0.3: (0.99, 0.0, 20), 0.1: (0.0, 0.0, 8)}


@pytest.mark.parametrize("beta", OPTIMA)
def test_warmth_shrinks_the_radii_and_then_flattens_an_axis(beta):
    y = data.ellipse(20_000, generator())
    *optimum, steps = OPTIMA[beta]
    method = trained(y, 1 / beta, steps)
    assert slope(method, y) < 1e-3
    error = radii(method).detach().abs() - torch.tensor(optimum)
    assert error.abs().max() < 0.03


def test_an_axis_alone_collapses_above_twice_its_mean_square():
    # The curvature of the mean F_β in w_i at w = 0 is 1 - 2 β E[y_i²].
    y = data.ellipse(300, generator()).double()
    squares = y.square().mean(0)
    for beta in (0.2, 0.35, 1.0):
        found = curvature(methods.ellipse(1 / beta).double(), y, (0.0, 0.0))
        torch.testing.assert_close(found, 1 - 2 * beta * squares, rtol=1e-6, atol=1e-6)


def test_the_second_axis_unfolds_earlier_once_the_first_has():
    # With w1 open the curvature in w2 is 2 E[s (1 - 2 β y2²)], s = E_q[sin² z | y1]: the angles
    # that explain small y1 are those of large y2², which counts the latter for more.
    angle = torch.arange(400, dtype=F64)[:, None] * (2 * math.pi / 400) + 0.003
    y = f64(RADII) * torch.cat([angle.cos(), angle.sin()], 1)
    z = torch.arange(48, dtype=F64) * (math.pi / 24)
    for beta, w1 in ((0.3, 0.9), (0.42, 1.4)):
        q = (-beta * (y[:, :1] - w1 * z.cos()).square()).softmax(1)
        s = (q * z.sin().square()).sum(1)
        exact = 2 * (s * (1 - 2 * beta * y[:, 1].square())).mean()
        found = curvature(methods.ellipse(1 / beta).double(), y, (w1, 0.0))[1]
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-7)
    alone = 1 - 2 * 0.42 * y[:, 1].square().mean()
    assert found < 0 < alone


def test_a_zero_start_is_a_saddle_at_which_training_stays():
    y = data.ellipse(100, generator()).double()
    method = methods.ellipse(0.5, w=(0.0, 0.0)).double()
    assert slope(method, y) < 1e-6
    assert (curvature(method, y, (0.0, 0.0)) < 0).all()
