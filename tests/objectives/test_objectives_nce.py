import math

import pytest
import torch
from densities_support import PRECISION, Quadratic, draws, fitted
from problems import F64, f64, generator, randn
from torch import Tensor, nn

from ebmlab import Energy, FunctionEnergy, methods, perturbations
from ebmlab.algebra import Sum
from ebmlab.energies import MLP, Bernoulli, Constant, Density, Gaussian, Uniform
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.losses import InfoNCE, log_loss
from ebmlab.negatives import Corrupted, Noise
from ebmlab.objectives import NCE, Contrastive

P = f64([0.1, 0.3, 0.05, 0.4, 0.15])
Q = f64([0.3, 0.1, 0.2, 0.15, 0.25])


def repeated(shares: Tensor, n: int) -> Tensor:
    """Numbers of points (n, 1), each as often as its share says, exactly."""
    return torch.arange(5).repeat_interleave((shares * n).round().long())[:, None].double()


class Table(Density):
    """Five points with the shares Q; its draws are not random, but come in exact shares."""

    dim = 1

    def potential(self, y: Tensor) -> Tensor:
        return -(Q.log() + 2.0)[y[..., 0].long()]

    @property
    def log_z(self) -> Tensor:
        return f64(2.0)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        return repeated(Q, n)


class Levels(Energy):
    """One energy to learn for each of five points."""

    takes_x = False

    def __init__(self, levels: Tensor) -> None:
        super().__init__()
        self.levels = nn.Parameter(levels.clone())

    def forward(self, x: Tensor | None, y: Tensor, z: Tensor | None = None) -> Tensor:
        return self.levels[y[..., 0].long()]


def judged(levels: Tensor, k: int) -> tuple[Tensor, Tensor]:
    energy = Levels(levels)
    value = NCE(Table(), k)(energy, None, repeated(P, 20), generator()).value
    return value.detach(), torch.autograd.grad(value, energy.levels)[0]


@pytest.mark.parametrize("k", [1, 3])
def test_over_five_points_it_has_its_closed_form_and_is_stationary_at_the_density(k):
    levels = randn(5)
    value, grad = judged(levels, k)
    gap = levels + (k * Q).log()
    due = P @ nn.functional.softplus(gap) + k * Q @ nn.functional.softplus(-gap)
    torch.testing.assert_close(value, due)
    torch.testing.assert_close(grad, P * gap.sigmoid() - k * Q * (-gap).sigmoid())
    best, grad = judged(-P.log(), k)
    assert grad.abs().max() < 1e-12
    for seed in range(10):
        assert judged(-P.log() + 0.3 * randn(5, seed=seed), k)[0] > best
    # Controls: another constant, and the energy's sign turned round.
    assert judged(-P.log() + 0.1, k)[1].abs().max() > 1e-3
    assert judged(P.log(), k)[1].abs().max() > 1e-2


NEAR = Gaussian(torch.zeros(4, dtype=F64), 1.5 * torch.linalg.inv(PRECISION))
LOG_Z = float(2 * math.log(2 * math.pi) - 0.5 * torch.logdet(PRECISION))


def worst(energy: Quadratic, due: Tensor = PRECISION) -> float:
    return float((energy.precision - due).abs().max().detach())


def test_it_recovers_the_precision_and_log_z_of_a_four_dimensional_gaussian():
    # 4,000 data, whose own precision is exact, against 32,000 draws: largest errors over
    # four seeds 0.015 in P and 0.009 in log Z.
    energy = Quadratic(4)
    both = energy + Constant().double()
    fitted(NCE(NEAR, k=8), both, draws(4000, PRECISION))
    assert worst(energy) < 0.05
    assert isinstance(both, Sum)
    constant = both.terms[1].value.item()
    assert constant == pytest.approx(LOG_Z, abs=0.03)
    assert abs(constant - LOG_Z - math.log(8)) > 1
    assert worst(energy, 1.25 * PRECISION) > 0.05


def test_infonce_recovers_the_precision_beside_that_of_its_noise():
    # E = -log p + log q + c.
    energy = Quadratic(4)
    fitted(Contrastive(InfoNCE(), Noise(NEAR, 8)), energy, draws(4000, PRECISION))
    assert worst(energy, PRECISION - NEAR.precision) < 0.05
    assert worst(energy) > 0.3


def test_conditional_nce_recovers_the_precision():
    # Copies of the same data: the largest error over four seeds is 0.09.
    energy = Quadratic(4)
    fitted(
        Contrastive(log_loss, Corrupted(perturbations.Gaussian(0.25), 4)),
        energy,
        draws(4000, PRECISION),
    )
    assert worst(energy) < 0.15
    assert worst(energy, 1.25 * PRECISION) > 0.15


def test_the_recipe_learns_its_own_constant():
    method = methods.nce(MLP(2, hidden=(4,)), Gaussian(torch.zeros(2), torch.eye(2)))
    method(None, torch.zeros(8, 2), generator()).value.backward()
    assert isinstance(method.energy, Sum)
    assert method.energy.terms[1].value.grad != 0


def test_data_and_noise_are_one_pass_and_x_meets_both():
    calls = []

    def function(x: Tensor, y: Tensor) -> Tensor:
        calls.append(len(y))
        return (x * y).sum(-1)

    energy, x, y = FunctionEnergy(function, ("x", "y")), randn(6, 4), draws(6, PRECISION)
    loss = NCE(NEAR, 3)(energy, x, y, generator())
    assert calls == [24]
    points = NEAR.sample(18, generator()).reshape(3, 6, 4)
    real = (x * y).sum(-1) + NEAR.log_prob(y) + math.log(3)
    fake = (x * points).sum(-1) + NEAR.log_prob(points) + math.log(3)
    due = nn.functional.softplus(real).mean() + nn.functional.softplus(-fake).mean(1).sum()
    torch.testing.assert_close(loss.value, due)
    right = 0.5 * ((real < 0).double().mean() + (fake > 0).double().mean())
    torch.testing.assert_close(loss.metrics["accuracy"], right)


def test_noise_in_single_precision_serves_data_in_double_and_bits():
    y = torch.zeros(4, 2, dtype=F64)
    noise = Gaussian(torch.zeros(2), torch.eye(2))
    assert NCE(noise)(MLP(2).double(), None, y, generator()).value.dtype == F64
    bits = Bernoulli(torch.zeros(3))
    value = NCE(bits, 2)(MLP(3), None, torch.ones(4, 3), generator()).value
    assert value.isfinite()


def test_data_where_noise_never_falls_teach_nothing_and_leave_finite_gradients():
    box = Uniform(torch.zeros(2), torch.ones(2))
    energy = MLP(2, hidden=(4,))
    NCE(box)(energy, None, torch.full((4, 2), 5.0), generator()).value.backward()
    assert all(p.grad.isfinite().all() for p in energy.parameters())


def test_what_cannot_be_contrasted_raises():
    with pytest.raises(ConfigurationError, match="k is 0"):
        NCE(NEAR, 0)
    with pytest.raises(ShapeError, match="the noise draws"):
        NCE(NEAR)(MLP(2).double(), None, torch.zeros(4, 2, dtype=F64), generator())
    with pytest.raises(ConfigurationError, match="pass rng"):
        NCE(NEAR)(Quadratic(4), None, torch.zeros(4, 4, dtype=F64))
