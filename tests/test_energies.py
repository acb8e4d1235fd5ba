"""Energies: values and slopes against formulas, log Z against quadrature, draws against CDFs."""

import math

import numpy as np
import pytest
import torch
from problems import (
    COVARIANCE_2,
    COVARIANCE_3,
    F64,
    MEANS,
    PLANE,
    WEIGHTS,
    Net,
    f64,
    fits,
    generator,
    has_mean,
    log_integral,
    randn,
)
from scipy import integrate, stats
from torch import Tensor, distributions, nn
from torch.nn import functional

from ebmlab import FunctionEnergy
from ebmlab.energies import (
    MLP,
    Banana,
    Constant,
    ConvNet,
    Cosine,
    CrossEntropy,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    JointEmbedding,
    Reconstruction,
    Ring,
    SquaredDistance,
    Uniform,
    unit,
)
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.teachers import EMA, Detached


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


WIDE = torch.linspace(-14, 14, 113, dtype=F64)
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


@pytest.mark.parametrize("name", PLANE)
def test_draws_have_the_density_along_four_directions(name):
    problem = PLANE[name]
    assert problem.accepts(problem.density.sample(20_000, generator(3)))
    assert not problem.accepts(problem.wrong.sample(20_000, generator(3)))


def test_draws_of_a_correlated_gaussian_in_space():
    energy = Gaussian(f64([1.0, 0.0, -2.0]), COVARIANCE_3)
    wrong = Gaussian(f64([1.0, 0.0, -2.0]), COVARIANCE_3.diagonal().diag())
    seen = []
    for drawn in (energy.sample(20_000, generator(4)), wrong.sample(20_000, generator(4))):
        for direction in (f64([1.0, 0.0, 0.0]), f64([1.0, 1.0, 1.0]), f64([0.0, 1.0, -1.0])):
            std = float((direction @ COVARIANCE_3 @ direction).sqrt())
            line = stats.norm(float(energy.mean @ direction), std)
            seen.append(fits(drawn @ direction, line.cdf))
    # Along an axis the correlations do not show; along the others they do.
    assert seen == [True, True, True, True, False, False]


def test_draws_of_a_funnel():
    drawn = Funnel(3, 1.5).sample(20_000, generator(5)).double()
    v = np.linspace(-12, 12, 400)
    weight = stats.norm.pdf(v, scale=1.5)

    def marginal(t: np.ndarray) -> np.ndarray:
        return stats.norm.cdf(t[:, None] * np.exp(-v / 2)) @ weight / weight.sum()

    first, second = drawn[:, 0], drawn[:, 1]
    assert fits(first, stats.norm(scale=1.5).cdf)
    assert not fits(first, stats.norm(scale=1.6).cdf)
    assert fits(second, marginal)
    assert not fits(1.15 * second, marginal)
    # Given v, the two others are independent: their signs agree half the time.
    assert has_mean((second.sign() * drawn[:, 2].sign()), 0.0, 1.0)


@pytest.mark.parametrize(("radius", "width"), [(2.0, 0.2), (0.7, 1.0), (0.1, 2.0)])
def test_draws_of_a_ring_have_its_radii_and_every_angle(radius, width):
    drawn = Ring(radius, width).sample(100_000, generator(6)).double()
    axis = torch.linspace(0, radius + 10 * width, 20_001, dtype=F64)
    mass = (axis * (-((axis - radius) ** 2) / (2 * width**2)).exp()).cumsum(0)
    radii, angles = drawn.norm(dim=1), torch.atan2(drawn[:, 1], drawn[:, 0])

    def cdf(t: np.ndarray) -> np.ndarray:
        return np.interp(t, axis.numpy(), (mass / mass[-1]).numpy())

    assert fits(radii, cdf)
    assert not fits(1.03 * radii, cdf)
    assert fits(angles, stats.uniform(-math.pi, 2 * math.pi).cdf)


@pytest.mark.parametrize("dim", [1, 3])
def test_draws_of_a_double_well_fill_both_wells(dim):
    drawn = DoubleWell(8.0, dim).sample(20_000, generator(6)).double()
    axis = torch.linspace(-3, 3, 4001, dtype=F64)
    mass = (-8 * (axis**2 - 1) ** 2).exp().cumsum(0)
    assert drawn.shape == (20_000, dim)
    assert fits(drawn[:, 0], lambda t: np.interp(t, axis.numpy(), (mass / mass[-1]).numpy()))
    assert all(fits(drawn[:, i], stats.norm.cdf) for i in range(1, dim))


@pytest.mark.parametrize("density", [*(p.density for p in PLANE.values()), Funnel(3)])
def test_draws_belong_to_their_generator(density):
    before = torch.get_rng_state()
    rng = generator(7)
    first, second = density.sample(50, rng), density.sample(50, rng)
    assert torch.equal(first, density.sample(50, generator(7)))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_densities_refuse_what_is_not_one():
    with pytest.raises(ConfigurationError, match="positive definite"):
        Gaussian(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(ConfigurationError, match="symmetric"):
        Gaussian(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ShapeError, match=r"\(d,\) and \(d, d\)"):
        Gaussian(torch.zeros(2), torch.eye(3))
    with pytest.raises(ConfigurationError, match="weights"):
        GaussianMixture(torch.zeros(2, 2), 1.0, torch.tensor([1.0, 0.0]))
    with pytest.raises(ConfigurationError, match="low"):
        Uniform(torch.zeros(2), torch.tensor([1.0, 0.0]))
    with pytest.raises(ShapeError, match=r"\(\*batch, 3\)"):
        Funnel(3)(None, torch.zeros(5, 2))
    for wrong in (lambda: Ring(width=0.0), lambda: DoubleWell(math.nan), lambda: Funnel(1)):
        with pytest.raises(ConfigurationError):
            wrong()


def _value_and_grads(function, *inputs: Tensor) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    value = function(*leaves)
    return [value, *torch.autograd.grad((value * (1 + torch.arange(len(value)))).sum(), leaves)]


def test_cosine_equals_torch():
    x, y = randn(6, 4, seed=1), 100 * randn(6, 4, seed=2)
    ours = _value_and_grads(Cosine(), x, y)
    theirs = _value_and_grads(lambda a, b: -functional.cosine_similarity(a, b, dim=-1), x, y)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-15, 1e-10, 1e15])
def test_a_vector_of_any_length_has_a_finite_cosine_and_gradient(length):
    for x, y in ([length, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, length]):
        value, *grads = _value_and_grads(Cosine(), torch.tensor([x]), torch.tensor([y]))
        assert value.abs() <= 1
        assert all(grad.isfinite().all() for grad in grads)
    assert unit(torch.zeros(3)).tolist() == [0, 0, 0]


def test_the_usual_cosine_explodes_at_zero():
    _, grad = _value_and_grads(lambda h: functional.normalize(h, dim=-1)[:, 0], torch.zeros(1, 3))
    assert grad.abs().max() > 1e11


def test_cross_entropy_equals_torch_on_probabilities():
    scores, target = randn(6, 5, seed=1), randn(6, 5, seed=2).softmax(-1)
    ours = _value_and_grads(CrossEntropy(0.3), scores, target)
    theirs = _value_and_grads(
        lambda a, b: functional.cross_entropy(a / 0.3, b, reduction="none"), scores, target
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    labels = torch.tensor([0, 4, 2, 1, 1, 3])
    torch.testing.assert_close(
        CrossEntropy()(scores, functional.one_hot(labels, 5).double()),
        functional.cross_entropy(scores, labels, reduction="none"),
    )


@pytest.mark.parametrize("ndim", [0, 1, 3])
def test_squared_distance_sums_over_the_event(ndim):
    event = (3, 4, 2)[:ndim]
    x, y = randn(5, 1, *event, seed=1), randn(1, 6, *event, seed=2)
    value = SquaredDistance(ndim)(x, y)
    expected = functional.mse_loss(
        x.expand(5, 6, *event), y.expand(5, 6, *event), reduction="none"
    ).reshape(5, 6, -1)
    torch.testing.assert_close(value, expected.sum(-1))
    _, grad_x, grad_y = _value_and_grads(SquaredDistance(ndim), x[:, 0], x[:, 0] + 0.5)
    weights = (1.0 + torch.arange(5)).reshape(5, *[1] * ndim).expand(5, *event).double()
    torch.testing.assert_close(grad_y, weights)
    torch.testing.assert_close(grad_x, -weights)


def test_network_energies_are_their_networks():
    x, y = torch.randn(4, 3, generator=generator()), torch.randn(4, 2, generator=generator(1))
    energy = MLP(2, x_dim=3, hidden=(7, 5))
    w = list(energy.network.parameters())
    h = functional.silu(torch.cat([x, y], 1) @ w[0].T + w[1])
    expected = (functional.silu(h @ w[2].T + w[3]) @ w[4].T + w[5])[:, 0]
    torch.testing.assert_close(energy(x, y), expected)
    images = torch.randn(2, 3, 1, 9, 14, generator=generator())
    energy = ConvNet(1, width=4, stages=2)
    each = torch.stack([energy.network(image[None])[0, 0] for image in images.flatten(0, 1)])
    torch.testing.assert_close(energy(None, images), each.reshape(2, 3), rtol=1e-4, atol=1e-5)


def test_a_constant_learns_log_z():
    # log Z of a density is where the mean of exp(-(E + c)) over volume is 1: c = log Z.
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    normalized = density + Constant(float(density.log_z)).double()
    assert log_integral(lambda y: normalized(None, y), WIDE, WIDE) == pytest.approx(0, abs=1e-6)
    normalized(None, randn(5, 2)).sum().backward()
    (constant,) = normalized.parameters()
    assert constant.grad == 5
    assert Constant(2.0, y_ndim=3)(None, torch.zeros(2, 3, 1, 4, 4)).shape == (2, 3)


class Counted(nn.Module):
    """A linear encoder of the mean over an image of any size; counts the rows it sees."""

    def __init__(self, seed: int = 0, outputs: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(2, outputs, seed=seed))
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image.mean((-2, -1)) @ self.weight


def _views(*sizes: int) -> tuple[Tensor, ...]:
    return tuple(randn(4, 2, size, size + 1, seed=size) for size in sizes)


def test_a_joint_embedding_compares_codes():
    f, g = Counted(1), Counted(2)
    x, y = _views(5, 3)
    energy = JointEmbedding(f, g, SquaredDistance(), x_ndim=3)
    expected = ((x.mean((2, 3)) @ f.weight - y.mean((2, 3)) @ g.weight) ** 2).sum(1)
    torch.testing.assert_close(energy(x, y), expected)
    assert JointEmbedding(f, x_ndim=3).target is f
    head, hx, hy = energy.embed(x, y)
    torch.testing.assert_close(head(hx, hy), expected)


def test_an_encoder_shared_by_x_and_y_runs_once_per_image():
    f = Counted()
    energy = JointEmbedding(f, f, SquaredDistance(), x_ndim=3)
    one, two = _views(5, 3)
    energy(one, one)
    assert f.calls == 1
    energy(one, two)
    assert f.calls == 3
    energy((one, two), (one, two))
    assert f.calls == 5


def test_every_crop_is_encoded_once():
    f = Counted()
    crops = _views(6, 5, 3, 2)
    JointEmbedding(f, f, SquaredDistance(), x_ndim=3)(crops, crops[:2])
    assert f.calls == 4


@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 2), (2, 3)])
def test_view_energies_average_over_different_views(n, m):
    f, g = Counted(1), Counted(2)
    crops = _views(6, 5, 3, 2)
    x, y = crops[:n], crops[:m]
    energy = JointEmbedding(f, g, SquaredDistance(), x_ndim=3)
    pairs = [(i, j) for i in range(n) for j in range(m) if i != j]
    codes = [c.mean((2, 3)) for c in crops]
    expected = sum(
        ((codes[i] @ f.weight - codes[j] @ g.weight) ** 2).sum(1) for i, j in pairs
    ) / len(pairs)
    torch.testing.assert_close(energy(x, y), expected)
    assert (f.calls, g.calls) == (n, m)


def test_views_broadcast_as_single_tensors_do():
    f = Net(2, 3)
    energy = JointEmbedding(f, f, SquaredDistance())
    v, w = randn(5, 2, seed=1), randn(5, 2, seed=2)
    rows = energy((v, w), (v, w))
    torch.testing.assert_close(energy((v[0], w[0]), (v[0], w[0])), rows[0])
    matrix = energy((v[:, None], w[:, None]), (v[None], w[None]))
    torch.testing.assert_close(matrix.diagonal(), rows)


def test_views_must_be_on_both_sides_and_more_than_one():
    energy = JointEmbedding(Net(2, 3))
    v = randn(4, 2)
    with pytest.raises(ShapeError, match="both"):
        energy((v, v), v)
    with pytest.raises(ShapeError, match="one view"):
        energy((v,), (v,))
    with pytest.raises(ShapeError, match="None"):
        energy(None, v)


@pytest.mark.parametrize("kind", [EMA, Detached])
def test_no_gradient_reaches_a_stopped_target(kind):
    f = Counted(1)
    target = kind(f)
    x, y = (view.requires_grad_() for view in _views(5, 3))
    energy = JointEmbedding(f, target, SquaredDistance(), x_ndim=3)
    energy(x, y).sum().backward()
    hx, hy = x.mean((2, 3)) @ f.weight, y.mean((2, 3)) @ f.weight
    expected = 2 * x.mean((2, 3)).T @ (hx - hy)  # hy constant
    torch.testing.assert_close(f.weight.grad, expected)
    assert x.grad is not None
    assert y.grad is None
    assert all(p.grad is None for p in target.parameters() if p is not f.weight)


def test_update_reaches_the_head_with_codes():
    class Center(Energy):
        def __init__(self) -> None:
            super().__init__()
            self.seen = []

        def forward(self, x, y, z=None):
            return (x - y).square().sum(-1)

        def update(self, x, y):
            self.seen.append((x, y))

    head, f = Center(), Net(2, 3)
    x, y = randn(4, 2, seed=1), randn(4, 2, seed=2)
    ((2 * JointEmbedding(f, f, head) / 3.0) + Cosine()).update(x, y)
    ((hx, hy),) = head.seen
    torch.testing.assert_close((hx, hy), (f(x).detach(), f(y).detach()))
    assert not hx.requires_grad


def test_reconstruction_decodes_compares_and_counts_the_prior():
    x, y, z = randn(4, 2, seed=1), randn(4, 3, seed=2), randn(6, 4, 1, seed=3)
    decoder = Net(3, 3)
    prior = Gaussian(f64([0.0]), f64([[4.0]]))
    for takes_x, decoder in ((True, Net(3, 3)), (False, Net(1, 3))):
        plain = Reconstruction(decoder, takes_x=takes_x)
        full = Reconstruction(decoder, SquaredDistance(), prior, takes_x=takes_x)
        for k in range(6):
            decoded = decoder(x, z[k]) if takes_x else decoder(z[k])
            distance = ((y - decoded) ** 2).sum(1)
            torch.testing.assert_close(plain.decode(x, z)[k], decoded)
            torch.testing.assert_close(plain(x, y, z)[k], distance)
            torch.testing.assert_close(full(x, y, z)[k], distance + z[k, :, 0] ** 2 / 8)


def test_reconstruction_of_images_from_tokens():
    decoder = nn.Sequential(nn.Embedding(5, 12), nn.Unflatten(-1, (1, 3, 4)))
    energy = Reconstruction(decoder, SquaredDistance(3), takes_x=False, z_ndim=0)
    y = torch.randn(2, 1, 3, 4, generator=generator())
    z = torch.tensor([[0], [4], [2]])
    expected = (decoder(z[:, 0])[:, None] - y[None]).square().sum((2, 3, 4))
    torch.testing.assert_close(energy(None, y, z), expected)


def _pair() -> FunctionEnergy:
    return FunctionEnergy(lambda x, y: ((x - y) ** 4).sum(-1), ("x", "y"))


def test_sums_scales_and_temperatures():
    x, y = randn(5, 2, seed=1), randn(5, 2, seed=2)
    one, two = _pair(), SquaredDistance()
    a, b = ((x - y) ** 4).sum(-1), ((x - y) ** 2).sum(-1)
    torch.testing.assert_close((one + two)(x, y), a + b)
    torch.testing.assert_close((one + two + 0.5 * one)(x, y), 1.5 * a + b)
    torch.testing.assert_close((one * -2)(x, y), -2 * a)
    torch.testing.assert_close((one / 0.25)(x, y), 4 * a)
    torch.testing.assert_close(((one + 3 * two) / 2)(x, y), (a + 3 * b) / 2)
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="temperature"):
            one / wrong
    with pytest.raises(ShapeError, match="y_ndim"):
        one + SquaredDistance(3)


def test_a_temperature_and_a_scale_are_learned():
    x, y = randn(5, 2, seed=1), randn(5, 2, seed=2)
    energy = ((x - y) ** 4).sum()
    temperature, scale = nn.Parameter(f64(0.5)), nn.Parameter(f64(3.0))
    tempered, scaled = _pair() / temperature, scale * _pair()
    tempered(x, y).sum().backward()
    scaled(x, y).sum().backward()
    torch.testing.assert_close(temperature.grad, -energy / 0.5**2)
    torch.testing.assert_close(scale.grad, energy)
    assert list(tempered.parameters()) == [temperature]
    assert list(scaled.parameters()) == [scale]


def test_a_product_of_gaussian_experts_is_gaussian():
    # N(0, 1) · N(2, 1/3) ∝ N(3/2, 1/4)
    product = Gaussian(f64([0.0]), f64([[1.0]])) + Gaussian(f64([2.0]), f64([[1 / 3]]))
    expected = Gaussian(f64([1.5]), f64([[0.25]]))
    y = randn(7, 1)
    gap = product(None, y) - expected(None, y)
    torch.testing.assert_close(gap, gap[:1].expand(7))


def test_a_density_ignores_x_in_a_product():
    x, y = randn(4, 3, seed=1), randn(5, 2, seed=2)
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    conditional = FunctionEnergy(lambda x, y: x[:, 0] * y[:, 1], ("x", "y"))
    matrix = (density + conditional)(x[:, None], y[None])
    torch.testing.assert_close(matrix, density(None, y) + x[:, :1] * y[:, 1])
    # Alone, a density lends itself x's batch.
    torch.testing.assert_close(density(x[:, None], y[None]), density(None, y).expand(4, 5))


def test_a_sum_hands_z_to_those_who_take_it():
    decoder = Net(1, 2)
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(3, 5, 1, seed=3)
    total = SquaredDistance() + Reconstruction(decoder, takes_x=False)
    assert total.takes_x
    assert total.takes_z
    expected = ((x - y) ** 2).sum(-1) + ((decoder(z) - y) ** 2).sum(-1)
    torch.testing.assert_close(total(x, y, z), expected)


@pytest.mark.parametrize("lead", [(), (1,), (4,), (4, 1, 3)])
def test_a_function_sees_one_batch_dimension_and_any_are_restored(lead):
    def rowwise(x: Tensor, y: Tensor) -> Tensor:
        assert x.ndim == y.ndim == 2
        return (x * y**2).sum(1)

    x, y = randn(*lead, 2, seed=1), randn(*lead[1:], 2, seed=2)
    value = FunctionEnergy(rowwise, ("x", "y"))(x, y)
    torch.testing.assert_close(value, (x * y**2).sum(-1))


def _triple() -> FunctionEnergy:
    return FunctionEnergy(
        lambda x, y, z: (x[:, 0] * y[:, 0] + z[:, 0] * y[:, 1]) ** 2, ("x", "y", "z")
    )


def test_given_leaves_y_or_z_free():
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    value = _triple()(x, y, z)
    torch.testing.assert_close(_triple().given(x, z=z)(y), value)
    torch.testing.assert_close(_triple().given(x, y=y)(z), value)
    pair = _pair()
    torch.testing.assert_close(pair.given(x)(y), pair(x, y))
    density = Gaussian(f64([0.0, 0.0]), COVARIANCE_2)
    torch.testing.assert_close(density.given()(y), density(None, y))
    torch.testing.assert_close(density.given(x)(y), density(None, y))
    slope = pair.given(x).value_and_grad(y)[1]
    torch.testing.assert_close(slope, 4 * (y - x) ** 3)


def test_given_clamps_what_has_no_batch_or_a_batch_of_one():
    x, y, z = randn(2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    rows = x.expand(5, 2)
    pair, triple = _pair(), _triple()
    torch.testing.assert_close(pair.given(x)(y), pair(rows, y))
    torch.testing.assert_close(pair.given(x[None])(y), pair(rows, y))
    torch.testing.assert_close(triple.given(x, y=y[0])(z), triple(rows, y[:1].expand(5, 2), z))
    torch.testing.assert_close(triple.given(x, z=z[:1])(y), triple(rows, y, z[:1].expand(5, 1)))


def test_given_refuses_what_does_not_fit():
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(5, 1, seed=3)
    with pytest.raises(ShapeError, match=r"batches differ.*x \(5,\).*y \(4,\)"):
        _pair().given(x)(y[:4])
    with pytest.raises(ShapeError, match=r"one energy per row"):
        _pair().given(x)(y[:1])
    with pytest.raises(ConfigurationError, match="needs z"):
        _triple().given(x)(y)
    with pytest.raises(ConfigurationError, match="has no z"):
        _pair().given(x, z=z)(y)
    with pytest.raises(ConfigurationError, match="leave y"):
        _triple().given(x, y=y, z=z)
    with pytest.raises(ConfigurationError, match="leave y"):
        _pair().given(x, y=y)
    with pytest.raises(ShapeError, match="z has shape"):
        _triple().given(x, z=z[0])(y)
    with pytest.raises(DtypeError, match="float32"):
        _pair().given(x.float())(y)


def test_a_decoder_of_x_and_z_is_called_with_none_where_there_is_no_x():
    class Ellipse(nn.Module):
        def forward(self, x, z):
            assert x is None
            return torch.cat([2 * z.cos(), 1.5 * z.sin()], dim=-1)

    z = torch.tensor([[0.0], [math.pi / 2]], dtype=torch.float64)
    y = torch.tensor([[2.0, 0.0], [0.0, 1.5]], dtype=torch.float64)
    torch.testing.assert_close(Reconstruction(Ellipse())(None, y, z), torch.zeros(2).double())
