"""Score matching of a Gaussian energy, where losses, gradients and minimizers are closed forms."""

from collections.abc import Callable

import pytest
import torch
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, energies
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.objectives import (
    DenoisingScore,
    EnergyMatching,
    EquilibriumMatching,
    ExactScore,
    MultiScaleScore,
    SlicedScore,
)

D = 4
SPREAD = f64(
    [[1.0, 0.5, 0.0, 0.2], [0.5, 0.8, 0.1, 0.0], [0.0, 0.1, 0.5, -0.2], [0.2, 0, -0.2, 1]]
)


class Quadratic(Energy):
    """E(y) = ½ yᵀ A y."""

    takes_x = False

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        return 0.5 * torch.einsum("...i,ij,...j->...", y, self.matrix, y)


class Levels(Energy):
    """E(σ, y) = ½ yᵀ (A + σ²)⁻¹ y + ½ log det (A + σ²) + tilt · log σ."""

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(covariance.clone())
        self.tilt = nn.Parameter(torch.zeros((), dtype=F64))

    def forward(self, x: Tensor, y: Tensor, z: Tensor | None = None) -> Tensor:
        a = 0.5 * (self.matrix + self.matrix.mT) + x[..., None] ** 2 * torch.eye(D, dtype=F64)
        form = (y * torch.linalg.solve(a, y[..., None]).squeeze(-1)).sum(-1)
        return 0.5 * (form + a.logdet()) + self.tilt * x[..., 0].log()


def data(n: int) -> Tensor:
    return randn(n, D, seed=3) @ torch.linalg.cholesky(SPREAD).mT


def symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.mT)


def gradient(value: Tensor, energy: Quadratic | Levels) -> Tensor:
    return torch.autograd.grad(value, energy.matrix)[0]


def test_the_exact_loss_of_a_quadratic_and_its_gradient_are_closed_forms():
    y, a = data(50), symmetric(randn(D, D))
    c, energy = y.mT @ y / len(y), Quadratic(a)
    value = ExactScore()(energy, None, y).value
    torch.testing.assert_close(value, 0.5 * (a @ c @ a).trace() - a.trace())
    torch.testing.assert_close(gradient(value, energy), symmetric(c @ a) - torch.eye(D, dtype=F64))


def test_the_sliced_loss_of_a_quadratic_and_its_gradient_are_closed_forms():
    y, a = data(50), symmetric(randn(D, D))
    c, energy = y.mT @ y / len(y), Quadratic(a)
    value = SlicedScore(3)(energy, None, y, generator(4)).value
    v = 2.0 * torch.randint(2, (150, D), generator=generator(4)).to(F64) - 1
    v = v.mT @ v / len(v)
    torch.testing.assert_close(value, 0.5 * (a @ c @ a).trace() - (a @ v).trace())
    torch.testing.assert_close(gradient(value, energy), symmetric(c @ a) - v)


def test_sliced_scores_are_the_exact_one_on_average():
    # A curved energy; 40 means of 200 probes: Student's t, false alarm 1e-6 at 5.8 errors.
    torch.manual_seed(0)
    energy, y = energies.MLP(3, hidden=(8,)).double(), randn(4, 3)
    exact, many = ExactScore()(energy, None, y).value.detach(), y.repeat(200, 1)
    some = torch.stack(
        [SlicedScore()(energy, None, many, generator(i)).value.detach() for i in range(40)]
    )
    error = some.std() / len(some) ** 0.5
    assert 0 < error < 0.01 * exact.abs()
    assert (some.mean() - exact).abs() < 5.8 * error


def drawn(y: Tensor) -> tuple[Tensor, Tensor]:
    """What matching draws: y0 and t."""
    rng = generator(4)
    y0 = torch.randn(D, len(y), generator=rng, dtype=F64).mT
    return y0, torch.rand(len(y), generator=rng, dtype=F64)[:, None]


def test_the_loss_at_all_levels_is_its_formula():
    y, c = data(20), f64([1.0, 0.5, 0.3, 2.0])
    energy = Levels(c.diag())
    loss = MultiScaleScore(0.1, 2.0, time=0.7, draws=2)(energy, None, y, generator(4))
    rng = generator(4)
    share = torch.arange(40)[:, None] + torch.rand(40, 1, generator=rng, dtype=F64)
    sigma = 0.1 * 20 ** ((share / 40) ** 2)
    noise = torch.randn(D, 40, generator=rng, dtype=F64).mT
    noisy, wide = torch.cat([y, y]) + sigma * noise, c + sigma**2
    slopes = 0.5 * (sigma * noisy / wide - noise).square().sum(1).mean()
    along = (sigma**2 * (1 / wide - (noisy / wide) ** 2)).sum(1)
    times = 0.7 * 0.25 * (along + noise.square().sum(1) - D).square().mean()
    torch.testing.assert_close(loss.terms["slope"], slopes)
    torch.testing.assert_close(loss.terms["time"], times)
    torch.testing.assert_close(loss.value.detach(), slopes + times)


def test_the_slope_in_sigma_ties_the_levels_and_nothing_else_does():
    # Quadratic in the tilt: Newton's step from 0.3 is the minimizer, 0 but for an error whose
    # standard deviation is √(2d / n): 0.02 at n = 20,000; false alarm 1e-6 at 4.9 of them.
    y, energy = data(20_000), Levels(SPREAD)
    with torch.no_grad():
        energy.tilt.fill_(0.3)
    value = MultiScaleScore(draws=1)(energy, None, y, generator()).value
    (slope,) = torch.autograd.grad(value, energy.tilt, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, energy.tilt)
    assert (energy.tilt - slope / curvature).abs() < 4.9 * (2 * D / len(y)) ** 0.5
    apart = MultiScaleScore(time=0.0)(energy, None, y, generator()).value
    assert torch.autograd.grad(apart, energy.tilt)[0].abs() < 1e-12


def test_equilibrium_matching_is_its_formula():
    y, a = data(40), symmetric(randn(D, D))
    energy = Quadratic(a)
    value = EquilibriumMatching()(energy, None, y, generator(4)).value
    y0, t = drawn(y)
    between = (1 - t) * y0 + t * y
    errors = between @ a - 4 * torch.where(t < 0.8, 1, 5 * (1 - t)) * (y0 - y)
    torch.testing.assert_close(value, 0.5 * errors.square().sum(1).mean())
    torch.testing.assert_close(gradient(value, energy), symmetric(errors.mT @ between / 40))


def test_energy_matching_is_a_flow_between_the_nearest_pairs_and_a_score():
    y, a = data(5), symmetric(randn(D, D))
    energy, near = Quadratic(a), ExactScore()
    loss = EnergyMatching(near, temperature=0.5, flow=0.3)(energy, None, y, generator(4))
    y0, t = drawn(y)
    orders = torch.cartesian_prod(*[torch.arange(5)] * 5)
    orders = orders[(orders.sort(1).values == torch.arange(5)).all(1)]
    y0 = y0[orders[(y0[orders] - y).square().sum((1, 2)).argmin()]]
    assert not torch.equal(y0, drawn(y)[0])
    errors = ((1 - t) * y0 + t * y) @ a - (y0 - y)
    fall = torch.where(t < 0.8, 1, 5 * (1 - t))[:, 0]
    flow = 0.3 * 0.5 * (fall * errors.square().sum(1)).mean()
    torch.testing.assert_close(loss.terms["flow"], flow)
    alone = near(energy / 0.5, None, y).value
    torch.testing.assert_close(loss.value, flow + alone)


def of_equilibrium(c: Tensor) -> Tensor:
    """The matrix of the best quadratic for y ~ N(0, c): E[c(t) (y0 - y) y_tᵀ] E[y_t y_tᵀ]⁻¹."""
    t = torch.linspace(0, 1, 100_001, dtype=F64)
    weight = 4 * torch.where(t < 0.8, 1, 5 * (1 - t))
    own, basis = torch.linalg.eigh(c)
    above = [torch.trapezoid(weight * (1 - t - t * v), t) for v in own]
    below = [torch.trapezoid((1 - t) ** 2 + t**2 * v, t) for v in own]
    return basis @ (torch.stack(above) / torch.stack(below)).diag() @ basis.mT


Optimum = Callable[[Tensor], Tensor]
EYE = torch.eye(D, dtype=F64)
# name: objective, the best matrix of data of this covariance, the largest error of its entries
# over 4,000 data (several standard errors; those without noise are exact on any sample).
MATCHED = {
    "exact": (ExactScore(), torch.linalg.inv, 1e-5),
    "sliced": (SlicedScore(4), torch.linalg.inv, 0.1),
    "denoising": (DenoisingScore(0.4), lambda c: torch.linalg.inv(c + 0.16 * EYE), 0.15),
    "levels": (MultiScaleScore(0.1, 1.0, draws=1), lambda c: c, 0.15),
    "equilibrium": (EquilibriumMatching(), of_equilibrium, 0.25),
    "energy matching": (
        EnergyMatching(ExactScore(), 0.5, flow=0.0),
        lambda c: 0.5 * torch.linalg.inv(c),
        1e-5,
    ),
}


@pytest.mark.parametrize("name", MATCHED)
def test_each_recovers_the_matrix_of_a_gaussian(name):
    objective, best, error = MATCHED[name]
    y = data(500 if error < 0.01 else 4_000)
    energy = Levels(EYE) if name == "levels" else Quadratic(EYE)
    optimizer = torch.optim.LBFGS(energy.parameters(), max_iter=40, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective(energy, None, y, generator()).value
        value.backward()
        return value

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    found, expected = symmetric(energy.matrix.detach()), best(y.mT @ y / len(y))
    assert (found - expected).abs().max() < error
    # Controls: where it started, and twice the matrix, which a factor in the loss would give.
    assert (EYE - expected).abs().max() > 2 * error
    assert expected.abs().max() > 2 * error


@pytest.mark.parametrize("objective", [ExactScore(), SlicedScore()])
@pytest.mark.parametrize(
    "function",
    [
        lambda y: y.detach().sum(-1),
        lambda y: torch.zeros(len(y), requires_grad=True),
        lambda y: y.sum(-1),
    ],
    ids=["detached", "flat", "linear"],
)
def test_energies_without_curvature_have_no_score_to_match(objective, function):
    with pytest.raises(GradientError, match=r"\(4, 2\)"):
        objective(FunctionEnergy(function), None, torch.ones(4, 2), generator())


FLAT = [MultiScaleScore(), EquilibriumMatching(), EnergyMatching(DenoisingScore(0.1))]


@pytest.mark.parametrize("objective", FLAT, ids=lambda o: type(o).__name__)
def test_flat_energies_have_no_slope_to_match(objective):
    flat = FunctionEnergy(lambda y: y.detach().sum(-1))
    with pytest.raises(GradientError, match="carries no gradient"):
        objective(flat, None, torch.ones(4, 2), generator())


@pytest.mark.parametrize("objective", [ExactScore(), SlicedScore(), *FLAT])
def test_scores_are_the_same_under_no_grad_and_of_images_laid_flat(objective):
    y = randn(3, 1, 2, 2)

    def bowl(y: Tensor) -> Tensor:
        return (y.square() + 0.1 * y.pow(4)).flatten(-3).sum(-1)

    def flat_bowl(y: Tensor) -> Tensor:
        return (y.square() + 0.1 * y.pow(4)).sum(-1)

    images, vectors = FunctionEnergy(bowl, y_ndim=3), FunctionEnergy(flat_bowl)
    with torch.no_grad():
        found = objective(images, None, y, generator()).value
    assert found.isfinite()
    torch.testing.assert_close(found, objective(images, None, y, generator()).value.detach())
    if isinstance(objective, ExactScore):
        torch.testing.assert_close(found, objective(vectors, None, y.flatten(1)).value.detach())


def test_levels_stand_beside_x_where_there_is_one():
    seen = []

    def watched(x: Tensor, y: Tensor) -> Tensor:
        seen.append(x)
        return (y - x[..., :1]).square().sum(-1)

    energy = FunctionEnergy(watched, ("x", "y"))
    x, y = randn(6, 2), randn(6, 3)
    MultiScaleScore(0.5, 2.0)(energy, x, y, generator())
    torch.testing.assert_close(seen[-1][:, :2], torch.cat([x, x]))
    assert (seen[-1][:, 2] > 0.5).all()
    assert (seen[-1][:, 2] < 2.0).all()
    assert seen[-1].shape == (12, 3)
    with pytest.raises(ShapeError, match="flatten or embed x"):
        MultiScaleScore()(FunctionEnergy(watched, ("x", "y"), x_ndim=0), x[:, 0], y, generator())


@pytest.mark.parametrize(
    "build",
    [
        lambda: SlicedScore(0),
        lambda: MultiScaleScore(0.0, 1.0),
        lambda: MultiScaleScore(1.0, 1.0),
        lambda: MultiScaleScore(0.1, 1.0, time=-1.0),
        lambda: MultiScaleScore(draws=0),
        lambda: EquilibriumMatching(strength=0.0),
        lambda: EquilibriumMatching(decay=1.0),
        lambda: EnergyMatching(ExactScore(), temperature=0.0),
        lambda: EnergyMatching(ExactScore(), decay=1.0),
    ],
)
def test_numbers_out_of_range_raise(build):
    with pytest.raises(ConfigurationError):
        build()
