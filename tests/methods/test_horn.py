"""The horn: an ellipse for each x, drawn, decoded and learned."""

import math

import pytest
import torch
from problems import F64, f64, generator, has_mean, randn
from torch import Tensor, nn

from ebmlab import FreeEnergy, data, fit, methods
from ebmlab.data.manifolds import Horn
from ebmlab.energies import Reconstruction
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Circle, Enumerate
from ebmlab.networks import Horn as Decoder
from ebmlab.training import Stepping, falling_cosine


class TrueRadii(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return data.horn.radii(x)


def mean_radii_squared() -> float:
    x = (torch.arange(20_000, dtype=F64)[:, None] + 0.5) / 20_000
    return float(data.horn.radii(x).square().mean())


def test_radii_are_those_of_the_lecture():
    x = f64([[0.0], [0.25], [1.0]])
    alpha, beta = 1.5, 2.0
    expected = [
        [math.exp(2 * t) * (a * t + b * (1 - t)) for a, b in ((alpha, beta), (beta, alpha))]
        for t in (0.0, 0.25, 1.0)
    ]
    torch.testing.assert_close(data.horn.radii(x), f64(expected), rtol=1e-14, atol=0)
    with pytest.raises(ShapeError, match="scalars"):
        data.horn.radii(torch.zeros(3))
    with pytest.raises(ConfigurationError, match="alpha"):
        Horn(alpha=0.0)


def test_draws_lie_on_the_ellipse_of_their_x_at_uniform_angles():
    x, y = data.horn(20_000, generator())
    on = (y / data.horn.radii(x)).double()
    angle = torch.atan2(on[:, 1], on[:, 0])
    # Harmonics of a uniform angle have the mean 0 and the variance ½; those of a biased one not.
    for k in (1, 2, 3):
        assert has_mean((k * angle).cos(), 0.0, 0.5**0.5)
        assert has_mean((k * angle).sin(), 0.0, 0.5**0.5)
    assert not has_mean((angle + 0.2 * angle.sin()).cos(), 0.0, 0.5**0.5)
    assert has_mean(x[:, 0], 0.5, 12**-0.5)
    assert (on.norm(dim=1) - 1).abs().max() < 0.2


@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_the_recipe_is_a_minimum_over_the_ellipse_of_x_or_a_soft_one(temperature):
    torch.manual_seed(0)
    method, x, y = methods.horn(temperature).double(), randn(7, 1), randn(7, 2, seed=1)
    f, z = method.energy.energy.decoder.radii, method.energy.infer.atoms[:, 0]
    assert [tuple(p.shape) for p in f.parameters()][::2] == [(8, 1), (8, 8), (2, 8)]
    curve = f(x)[:, None] * torch.stack([z.cos(), z.sin()], -1)
    each = (y[:, None] - curve).square().sum(-1)
    soft = -0.3 * ((-each / 0.3).logsumexp(1) - math.log(48))
    expected = (soft if temperature else each.amin(1)).mean()
    value = method(x, y).value
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    for found, due in zip(
        torch.autograd.grad(value, list(f.parameters())),
        torch.autograd.grad(expected, list(f.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(found, due, rtol=1e-9, atol=1e-12)


def test_the_horn_is_learned_down_to_near_the_floor_of_its_grid():
    x, y = data.horn(20_000, generator(1))
    true = FreeEnergy(Reconstruction(Decoder(TrueRadii())), Enumerate(Circle().atoms(48)))
    floor = true(x, y)
    # The grid's steps of π / 24 cost E[(ρ1² + ρ2²) / 2] (π / 24)² / 12, and the blur 0.05².
    exact = mean_radii_squared() * (math.pi / 24) ** 2 / 12 + data.horn.noise**2
    assert has_mean(floor, exact, float(floor.std()))
    torch.manual_seed(0)
    method = methods.horn()
    with torch.no_grad():
        before = float(method.energy(x, y).mean())
    adam = torch.optim.Adam(method.parameters(), lr=4e-2)
    how = {"steps": 500, "optimizer": adam, "stepping": Stepping(falling_cosine)}
    fit(method, data.horn(2000, generator()), rng=generator(), **how)
    with torch.no_grad():
        held_out = float(method.energy(x, y).mean())
        other = x[torch.randperm(len(x), generator=generator())]
        without_x = float(method.energy(other, y).mean())
    assert float(floor.mean()) < held_out < 0.10
    assert min(before, without_x) > 1.0
