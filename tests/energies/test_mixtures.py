"""Mixtures against Gaussian mixtures and quadrature; ensembles against means."""

import math

import pytest
import torch
from problems import COVARIANCE_2, F64, MEANS, RATE, WEIGHTS, PlaneProblem, f64, generator, randn
from scipy import stats
from torch import nn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import (
    MLP,
    Constant,
    DensityMixture,
    DoubleWell,
    Ensemble,
    Gaussian,
    GaussianMixture,
    Mixture,
    Reconstruction,
    Ring,
    SquaredDistance,
    Uniform,
)
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.partition import ais, quadrature
from ebmlab.samplers import MALA

GAUSSIANS = [Gaussian(mean, 0.25 * torch.eye(2, dtype=F64)) for mean in MEANS]
BOTH = pytest.mark.parametrize("kind", [Mixture, DensityMixture])


def box(half=1.0):
    corner = torch.full((2,), half, dtype=F64)
    return Uniform(-corner, corner)


@BOTH
def test_gaussians_of_one_width_make_a_gaussian_mixture(kind):
    due, y = GaussianMixture(MEANS, 0.5, WEIGHTS), 2 * randn(50, 2)
    for parts, mixture in (
        (due, kind(*GAUSSIANS, weights=WEIGHTS)),
        (due, kind(*GAUSSIANS, logits=WEIGHTS.log() + 7.0)),
        (GaussianMixture(MEANS, 0.5), kind(*GAUSSIANS)),
    ):
        # Densities are normalized first; these all have the same log Z.
        level = parts.log_z if kind is DensityMixture else 0.0
        energy, grad = mixture.given().value_and_grad(y)
        exact, slope = parts.given().value_and_grad(y)
        torch.testing.assert_close(energy, exact + level)
        torch.testing.assert_close(mixture(None, y), energy)
        torch.testing.assert_close(grad, slope)
        free = y.clone().requires_grad_()
        (auto,) = torch.autograd.grad(mixture(None, free).sum(), free)
        torch.testing.assert_close(auto, slope)


@BOTH
def test_gradients_of_logits_are_weights_less_responsibilities(kind):
    logits = nn.Parameter(WEIGHTS.log())
    mixture, y = kind(*GAUSSIANS, logits=logits), 2 * randn(50, 2)
    mixture(None, y).sum().backward()
    r = Mixture(*GAUSSIANS, weights=WEIGHTS).responsibilities(None, y)
    torch.testing.assert_close(r.sum(0), torch.ones(50, dtype=F64))
    torch.testing.assert_close(logits.grad, (WEIGHTS / WEIGHTS.sum() - r.T).sum(0))
    assert list(mixture.parameters()) == [logits]


def test_gradients_of_parts_are_theirs_by_responsibility():
    x, y = randn(20, 1, seed=1), randn(20, 2)
    parts = [MLP(2, x_dim=1, hidden=(4,)).double() for _ in range(2)]
    mixture = Mixture(*parts, weights=f64([1.0, 2.0]))
    mixture(x, y).sum().backward()
    r = mixture.responsibilities(x, y).detach()
    for part, share in zip(parts, r, strict=True):
        named = list(part.parameters())
        due = torch.autograd.grad((share * part(x, y)).sum(), named)
        torch.testing.assert_close([p.grad for p in named], list(due))


def test_the_mass_of_a_part_is_its_weight_times_its_z():
    # Widths 1 and 1/2 in the plane: Z is 2π and π/2.
    parts = Gaussian(f64([0.0, 0.0]), torch.eye(2).double()), GAUSSIANS[0]
    corner = torch.full((2,), 9.0, dtype=F64)
    weights = f64([0.3, 0.7])
    naive = quadrature(Mixture(*parts, weights=weights).given(), -corner, corner).log_z.exp()
    assert float(naive) == pytest.approx(2 * math.pi * (0.3 + 0.7 / 4), rel=1e-6)
    level = [part + Constant(float(part.log_z)).double() for part in parts]
    both = Mixture(*level, weights=weights), DensityMixture(*parts, weights=weights)
    y = randn(9, 2)
    torch.testing.assert_close(both[0](None, y), both[1](None, y), rtol=0, atol=1e-6)
    for leveled in both:
        assert abs(float(quadrature(leveled.given(), -corner, corner).log_z)) < 1e-6
    assert float(both[1].log_z) == 0.0


def test_a_mixture_hands_x_and_z_to_those_who_take_them():
    decoder = nn.Linear(1, 2).double()
    parts = SquaredDistance(), Reconstruction(decoder, takes_x=False), box(9.0)
    mixture = Mixture(*parts, weights=f64([1.0, 2.0, 3.0]))
    x, y, z = randn(5, 2, seed=1), randn(5, 2, seed=2), randn(3, 5, 1, seed=3)
    a, b = ((x - y) ** 2).sum(-1).expand(3, 5), ((decoder(z) - y) ** 2).sum(-1)
    due = -((-a).exp() / 6 + (-b).exp() / 3 + 0.5).log()
    torch.testing.assert_close(mixture(x, y, z), due)
    assert mixture.responsibilities(x, y, z).shape == (3, 3, 5)
    assert (mixture.takes_x, mixture.takes_z, mixture.z_ndim) == (True, True, 1)


def test_the_flags_and_updates_of_parts_are_the_mixtures():
    class Moved(Energy):
        takes_x = False
        seen = 0

        def forward(self, x, y, z=None):
            return y.square().sum(-1)

        def update(self, x, y, q=None):
            assert x is None
            self.seen += 1

    for kind in (Mixture, Ensemble):
        one, two = Moved(), Moved()
        two.couples = True
        combined = kind(one, two, SquaredDistance())
        combined.update(randn(3, 2), randn(3, 2))
        assert (one.seen, two.seen) == (1, 1)
        assert combined.couples
        assert not combined.stochastic


@BOTH
def test_parts_that_exclude_y_have_no_share_in_it(kind):
    y = f64([[0.0, 0.0], [3.0, 0.0], [50.0, 0.0]])
    either = kind(box(1.0), Ring(3.0, 0.2))
    energy, grad = either.given().value_and_grad(y)
    assert energy.isfinite().all()
    torch.testing.assert_close(grad[1:], Ring(3.0, 0.2).given().value_and_grad(y[1:])[1])
    energy, grad = kind(box(1.0), box(2.0)).given().value_and_grad(y)
    assert energy.tolist()[1:] == [math.inf] * 2
    assert torch.equal(grad, torch.zeros_like(y))
    steep = FunctionEnergy(lambda y: y.square().sum(-1) ** 200)  # its slope is ∞ where E is
    if kind is Mixture:
        value, slope = Mixture(Ring(), steep).given().value_and_grad(y[2:])
        torch.testing.assert_close(value, Ring()(None, y[2:]) + math.log(2))
        torch.testing.assert_close(slope, Ring().given().value_and_grad(y[2:])[1])


def test_nan_of_a_part_is_not_hidden():
    broken = FunctionEnergy(lambda y: y.sum(-1) * math.nan)
    value, slope = Mixture(Ring(), broken).given().value_and_grad(randn(3, 2))
    assert value.isnan().all()
    assert slope.isnan().all()


def test_densities_are_drawn_by_their_weights():
    """False alarms: 1e-6 for the shares, and 1e-6 for the shape."""
    wide, narrow = Gaussian(f64([2.0, 0.0]), COVARIANCE_2), GAUSSIANS[0]
    weights = f64([0.2, 0.8])
    mixture = DensityMixture(wide, narrow, weights=weights)
    y = mixture.sample(4000, generator())
    assert PlaneProblem(mixture, narrow, (0.0, 0.0), 9.0).accepts(y)
    wrong = Mixture(wide, narrow, weights=weights)  # as if both had one Z
    assert not PlaneProblem(wrong, narrow, (0.0, 0.0), 9.0).accepts(y)
    apart = DensityMixture(box(1.0), Uniform(f64([5.0, 5.0]), f64([6.0, 6.0])), weights=weights)
    first = int((apart.sample(4000, generator())[:, 0] < 2).sum())
    assert stats.binomtest(first, 4000, 0.2).pvalue > RATE
    assert stats.binomtest(first, 4000, 0.25).pvalue < RATE


def test_a_mixture_of_densities_serves_as_start_and_target_of_annealing():
    target, start = DensityMixture(DoubleWell(), Ring()), DensityMixture(box(4.0), GAUSSIANS[0])
    times = torch.linspace(0, 1, 31)
    estimate = ais(target.given(), start, MALA(0.1), times=times, chains=400, rng=generator())
    # Six standard errors of about 0.06: false alarms below 1e-6.
    assert abs(float(estimate.log_z)) < 6 * float(estimate.standard_error) < 0.6


def test_an_ensemble_is_the_mean_and_knows_its_spread():
    x, y = randn(20, 1, seed=1), randn(20, 2)
    members = [MLP(2, x_dim=1, hidden=(4,)).double(), Ring(), Gaussian(MEANS[0], COVARIANCE_2)]
    ensemble = Ensemble(*members)
    each = torch.stack([member(x, y) for member in members])
    torch.testing.assert_close(ensemble(x, y), each.sum(0) / 3)
    deviation = ((each - each.mean(0)) ** 2).sum(0) / 2
    torch.testing.assert_close(ensemble.spread(x, y), deviation.sqrt())
    value, grad = ensemble.given(x).value_and_grad(y)
    due = [member.given(x).value_and_grad(y) for member in members]
    torch.testing.assert_close(value, each.sum(0) / 3)
    torch.testing.assert_close(grad, sum(slope for _, slope in due) / 3)
    assert ensemble.spread(x[:, None], y[None]).shape == (20, 20)


@BOTH
def test_faults_of_weights_are_typed(kind):
    two = GAUSSIANS[:2]
    with pytest.raises(ConfigurationError, match="pass one"):
        kind(*two, weights=torch.ones(2), logits=torch.zeros(2))
    with pytest.raises(ConfigurationError, match="positive"):
        kind(*two, weights=f64([1.0, 0.0]))
    with pytest.raises(ConfigurationError, match="positive"):
        kind(*two, weights=f64([1.0, math.nan]))
    for wrong in ({"weights": torch.ones(3)}, {"logits": torch.zeros(2, 1)}):
        with pytest.raises(ShapeError, match="for 2 parts"):
            kind(*two, **wrong)
    with pytest.raises(ConfigurationError, match="expected at least one"):
        kind()


def test_faults_of_parts_are_typed():
    with pytest.raises(ConfigurationError, match=r"a part of DensityMixture is of type MLP"):
        DensityMixture(GAUSSIANS[0], MLP(2))
    with pytest.raises(ShapeError, match=r"dim \[2, 3\]"):
        DensityMixture(DoubleWell(), DoubleWell(dim=3))
    with pytest.raises(ShapeError, match="y_ndim"):
        Mixture(MLP(2), SquaredDistance(3))
    with pytest.raises(ConfigurationError, match="a term of Mixture is of type function"):
        Mixture(MLP(2), lambda y: y)
    with pytest.raises(ConfigurationError, match="one member"):
        Ensemble(MLP(2))
