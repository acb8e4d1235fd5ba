"""Shells against Gaussians, quadrature and draws; the volume is what tells smooth data apart."""

import math

import pytest
import torch
from problems import F64, f64, fits, generator, log_integral, randn
from scipy import stats
from torch import Tensor

from ebmlab.energies import MLP, Density, DensityMixture, Gaussian, Shells, Uniform
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics import auroc


class LogChiSquare(Density):
    """Levels s of blocks of N(0, I): k e^s is χ² with k degrees, independent for each block."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes, self.dim = f64([float(k) for k in sizes]), len(sizes)

    def potential(self, y: Tensor) -> Tensor:
        return 0.5 * (self.sizes * (y.exp() - y)).sum(-1)

    @property
    def log_z(self) -> Tensor:
        half = 0.5 * self.sizes
        return (torch.lgamma(half) - half * half.log()).sum()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        raise NotImplementedError


def blocks():
    """Two blocks whose levels depend on one another."""
    wide = Gaussian(f64([-0.3, 0.4]), f64([[0.3, 0.1], [0.1, 0.2]]))
    return DensityMixture(wide, Gaussian(f64([0.5, 0.0]), 0.1 * torch.eye(2, dtype=F64)))


@pytest.mark.parametrize("sizes", [(1,), (2, 1), (3, 5, 40)])
def test_levels_of_a_gaussian_make_a_gaussian(sizes):
    shells, dim = Shells(sizes, LogChiSquare(*sizes)), sum(sizes)
    plain = Gaussian(torch.zeros(dim, dtype=F64), torch.eye(dim, dtype=F64))
    y = 1.7 * randn(30, dim)
    torch.testing.assert_close(shells.log_prob(y), plain.log_prob(y), rtol=0, atol=1e-10)
    for energy in (shells, plain):
        torch.testing.assert_close(energy.given().value_and_grad(y)[1], y, rtol=1e-10, atol=1e-10)
    # Control: degrees of freedom that are one too many are seen.
    wrong = Shells(sizes, LogChiSquare(*(k + 1 for k in sizes)))
    assert (wrong.log_prob(y) - plain.log_prob(y)).abs().max() > 0.1


def test_gradients_reach_the_levels_parameters_as_the_formula_says():
    logits = torch.nn.Parameter(f64([0.2, -0.1]))
    parts = [Gaussian(f64([m, 0.0]), 0.3 * torch.eye(2, dtype=F64)) for m in (-0.5, 0.5)]
    y, shells = randn(9, 3), Shells((2, 1), DensityMixture(*parts, logits=logits))
    free = y.clone().requires_grad_()
    own = torch.autograd.grad(shells(None, free).sum(), [free, logits])
    s = torch.stack([(free[:, :2].square().sum(1) / 2).log(), free[:, 2].square().log()], 1)
    log_w = logits.log_softmax(0)
    each = [
        w - 0.5 * (s - p.mean).square().sum(1) / 0.3 - p.log_z
        for w, p in zip(log_w, parts, strict=True)
    ]
    by_hand = -torch.stack(each).logsumexp(0) + s[:, 0] + 0.5 * s[:, 1]
    due = torch.autograd.grad(by_hand.sum(), [free, logits])
    torch.testing.assert_close(shells(None, y), by_hand.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(own, due, rtol=1e-10, atol=1e-10)


def test_log_z_equals_quadrature():
    narrow = Shells((1,), Gaussian(f64([0.2]), f64([[0.05]])))
    plane = Shells((2,), Gaussian(f64([0.2]), f64([[0.05]])))
    axis = torch.linspace(-5, 5, 1001, dtype=F64)
    for shells in (narrow, plane):
        found = log_integral(lambda y, u=shells: u(None, y), *[axis] * shells.dim)
        assert float(shells.log_z) == pytest.approx(found, abs=1e-5)


def test_draws_have_the_levels_density_and_every_direction():
    shells = Shells((2, 3), blocks())
    drawn, levels = shells.sample(20_000, generator()), blocks().sample(20_000, generator(1))
    seen = shells.levels(drawn)
    for direction in (f64([1.0, 0.0]), f64([0.0, 1.0]), f64([1.0, -1.0])):
        found = stats.ks_2samp(seen @ direction, levels @ direction).pvalue
        assert found > 1e-6
        assert stats.ks_2samp(1.1 * seen @ direction + 0.05, levels @ direction).pvalue < 1e-6
    angles = torch.atan2(drawn[:, 1], drawn[:, 0])
    assert fits(angles, stats.uniform(-math.pi, 2 * math.pi).cdf)
    # One coordinate of a uniform direction in space is uniform (Archimedes).
    assert fits(drawn[:, 2] / drawn[:, 2:].norm(dim=1), stats.uniform(-1, 2).cdf)


def test_what_is_smoother_than_all_data_fools_the_likelihood_but_not_its_levels():
    sizes = (4, 60)
    shells = Shells(sizes, Gaussian(f64([0.0, 0.0]), 0.1 * torch.eye(2, dtype=F64)))
    usual = shells.sample(500, generator())
    smooth = torch.cat([usual[:, :4], 0.5 * usual[:, 4:]], 1)
    assert auroc(shells(None, usual), shells(None, smooth)) < 0.02
    assert auroc(*(shells.density(None, shells.levels(y)) for y in (usual, smooth))) > 0.98
    empty = shells.levels(torch.zeros(1, 64, dtype=F64))
    assert empty.isfinite().all()
    assert (empty < -700).all()


def test_blocks_and_densities_that_do_not_fit_are_refused():
    level = Gaussian(torch.zeros(1), torch.eye(1))
    for sizes in ((), (2, 3)):
        with pytest.raises(ShapeError, match=f"{len(sizes)} blocks"):
            Shells(sizes, level)
    for bad in (0, -1, 1.5):
        with pytest.raises(ConfigurationError, match=r"sizes\[0\]"):
            Shells((bad,), level)
    with pytest.raises(ConfigurationError, match="density of Shells"):
        Shells((2,), MLP(1))
    box = Uniform(-torch.ones(1), torch.ones(1))
    with pytest.raises(ShapeError, match=r"expects it to be \(\*batch, 3\)"):
        Shells((3,), box)(None, torch.zeros(2, 4))
