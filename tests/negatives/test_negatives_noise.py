import itertools

import pytest
import torch
from negatives_support import FALSE_ALARM
from problems import generator, randn
from torch import Tensor

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import MLP, Gaussian, Uniform
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.losses import InfoNCE
from ebmlab.negatives import Noise
from ebmlab.objectives import Contrastive

POINT = FunctionEnergy(lambda y: y[:, 0])  # the energy is the point


def test_noise_energies_are_those_of_the_densitys_own_draws():
    density = Gaussian(torch.ones(2).double(), torch.eye(2).double())
    draws = density.sample(3 * 5, generator()).reshape(3, 5, 2)
    energy, x, y = MLP(2, x_dim=1).double(), randn(5, 1), torch.zeros(5, 2).double()
    found = Noise(density, k=3)(energy, x, y, generator()).energies
    expected = [[energy(x[i : i + 1], draws[j, i : i + 1]) for j in range(3)] for i in range(5)]
    torch.testing.assert_close(found, torch.stack([torch.cat(row) for row in expected]))
    alone = MLP(2).double()
    found = Noise(density, k=3)(alone, None, y, generator()).energies
    torch.testing.assert_close(found, alone(None, draws).mT)


def _first_two_moments_agree(draws: Tensor, mean: float, variance: float) -> bool:
    n = draws.numel()
    off_mean = (draws.mean() - mean).abs() / (variance / n) ** 0.5
    # The sample variance of n normal draws has standard error variance * sqrt(2 / n).
    off_variance = (draws.var() - variance).abs() / (variance * (2 / n) ** 0.5)
    return bool((off_mean < FALSE_ALARM) & (off_variance < FALSE_ALARM))


def test_noise_has_the_moments_of_its_density():
    noise = Noise(Gaussian(torch.tensor([1.0]), torch.tensor([[4.0]])), k=50)
    draws = noise(POINT, None, torch.zeros(400, 1), generator()).energies
    assert draws.shape == (400, 50)
    assert _first_two_moments_agree(draws, 1.0, 4.0)
    assert not _first_two_moments_agree(draws, 1.1, 4.0)
    assert not _first_two_moments_agree(draws, 1.0, 3.7)


def test_noise_follows_the_dtype_of_y():
    energies = Noise(Uniform(torch.zeros(1), torch.ones(1)), k=2)(
        POINT, None, torch.zeros(3, 1).double(), generator()
    ).energies
    assert energies.dtype == torch.float64


@pytest.mark.parametrize("k", [0, -1])
def test_noise_wants_at_least_one_draw(k):
    with pytest.raises(ConfigurationError, match=f"k is {k}"):
        Noise(Uniform(torch.zeros(1), torch.ones(1)), k)


def test_noise_of_another_dimension_than_y_raises():
    noise = Noise(Uniform(torch.zeros(3), torch.ones(3)))
    with pytest.raises(ShapeError, match="y"):
        noise(MLP(2), None, torch.zeros(4, 2), generator())


@pytest.mark.parametrize("k", [1, 2, 3])
def test_infonce_is_stationary_and_lowest_at_the_density_over_the_noise(k):
    # Five points, data p, noise q: the expectation over y ~ p and k draws of q, summed exactly.
    p = torch.tensor([0.1, 0.3, 0.05, 0.4, 0.15], dtype=torch.float64)
    q = torch.tensor([0.3, 0.1, 0.2, 0.15, 0.25], dtype=torch.float64)
    index = torch.tensor(list(itertools.product(range(5), repeat=k + 1)))
    share = p[index[:, 0]] * q[index[:, 1:]].prod(1)

    def expected(energy: Tensor) -> Tensor:
        return share @ InfoNCE()(energy[index[:, 0]], energy[index[:, 1:]])

    best = (-p.log() + q.log() + 0.7).requires_grad_()
    (grad,) = torch.autograd.grad(expected(best), best)
    torch.testing.assert_close(grad, torch.zeros_like(grad), rtol=0, atol=1e-14)
    for seed in range(20):
        assert expected(best + 0.3 * randn(5, seed=seed)) > expected(best)
    plain = (-p.log()).requires_grad_()
    (grad,) = torch.autograd.grad(expected(plain), plain)
    assert grad.abs().max() > 1e-3


def _mean_excess(objective: Contrastive, other: Energy, best: Energy, x: Tensor, y: Tensor):
    """Mean and standard error of loss(other) - loss(best), on the same draws, over 40 batches."""
    rng, again = generator(1), generator(1)
    gaps = torch.stack(
        [
            objective(other, a, b, rng).value - objective(best, a, b, again).value
            for a, b in zip(x.chunk(40), y.chunk(40), strict=True)
        ]
    )
    return gaps.mean(), gaps.std() / len(gaps) ** 0.5


def test_contrast_with_uniform_noise_is_lowest_at_the_conditional_density():
    # y | x ~ N(x, 1/4). False-alarm rate below 1e-4 each: 5 standard errors of 40 batch means.
    x = 4 * torch.rand(20_000, 1, generator=generator()) - 2
    y = x + 0.5 * torch.randn(20_000, 1, generator=generator(2))
    objective = Contrastive(
        InfoNCE(), Noise(Uniform(-torch.tensor([6.0]), torch.tensor([6.0])), 4)
    )

    def energy(shift: float = 0.0, scale: float = 1.0, of_x: float = 0.0) -> Energy:
        def function(x: Tensor, y: Tensor) -> Tensor:
            return (scale * 2 * (y - x - shift).square() + of_x * x.square()).squeeze(-1)

        return FunctionEnergy(function, ("x", "y"))

    best = energy()
    for other in (energy(shift=0.15), energy(scale=1.5), energy(scale=0.6)):
        mean, error = _mean_excess(objective, other, best, x, y)
        assert mean > 5 * error
        mean, error = _mean_excess(objective, best, other, x, y)
        assert not mean > 5 * error
    mean, _ = _mean_excess(objective, energy(of_x=3.0), best, x, y)
    torch.testing.assert_close(mean, torch.tensor(0.0), rtol=0, atol=1e-5)
