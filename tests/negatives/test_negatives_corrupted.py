import itertools

import pytest
import torch
from negatives_support import FALSE_ALARM
from problems import F64, f64, generator, randn
from torch import Tensor

from ebmlab import FunctionEnergy
from ebmlab.energies import MLP, ConvNet
from ebmlab.errors import ConfigurationError, DtypeError, ShapeError
from ebmlab.losses import log_loss
from ebmlab.negatives import Corrupted
from ebmlab.perturbations import Gaussian

POINT = FunctionEnergy(lambda y: y[:, 0])  # the energy is the point


def test_each_datum_has_its_own_copies_and_meets_its_own_x():
    energy = FunctionEnergy(lambda x, y: x[:, 0] * y[:, 0], ("x", "y"))
    x, y = randn(3, 1), f64([[1.0], [2.0], [3.0]])

    def doubled(y: Tensor, rng: torch.Generator) -> Tensor:
        return y.mul_(10.0)  # in place: a copy is what it gets

    found = Corrupted(doubled, k=2)(energy, x, y, generator()).energies
    torch.testing.assert_close(found, (10 * x * y).expand(3, 2))
    assert y.flatten().tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_gaussian_noise_has_its_moments(sigma):
    y = torch.full((400, 1), 3.0, dtype=F64)
    off = Corrupted(Gaussian(sigma**2), k=50)(POINT, None, y, generator()).energies - 3
    n = off.numel()

    def fits(std: float) -> bool:
        mean = off.mean().abs() < FALSE_ALARM * std / n**0.5
        return bool(mean & ((off.var() - std**2).abs() < FALSE_ALARM * std**2 * (2 / n) ** 0.5))

    assert fits(sigma)
    assert not fits(1.1 * sigma)


def bits() -> Tensor:
    return f64(list(itertools.product([0, 1], repeat=2)))


def test_the_log_loss_of_symmetric_flips_is_stationary_at_the_density():
    # Conditional NCE over four states, summed exactly over data and flips.
    p, states = f64([0.1, 0.4, 0.2, 0.3]), bits()
    changed = (states[:, None] != states[None]).sum(-1)
    flips = 0.3**changed * 0.7 ** (2 - changed)

    def slope(levels: Tensor, flips: Tensor) -> Tensor:
        free = levels.clone().requires_grad_()
        pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        losses = log_loss(free[pairs[:, 0]], free[pairs[:, 1]][:, None])
        weights = (p[:, None] * flips).flatten()
        return torch.autograd.grad((weights * losses).sum(), free)[0]

    assert slope(-p.log() + 5.0, flips).abs().max() < 1e-14
    assert slope(p.log(), flips).abs().max() > 1e-2
    # Flips that do not undo as often as they do leave another optimum.
    lopsided = flips * f64([1.0, 2.0, 1.0, 0.5])
    assert slope(-p.log(), lopsided).abs().max() > 1e-3


def test_images_are_corrupted_whole():
    y = torch.zeros(3, 1, 4, 4)
    draw = Corrupted(Gaussian(0.1), k=2)(ConvNet(1, 2, 1), None, y, generator())
    assert draw.energies.shape == (3, 2)


def test_what_cannot_be_corrupted_raises():
    y = torch.zeros(3, 2)
    with pytest.raises(ShapeError, match=r"\(6, 2\); expected the same shape"):
        Corrupted(lambda y, rng: y[:1], 2)(MLP(2), None, y, generator())
    with pytest.raises(DtypeError, match="floating point"):
        Corrupted(Gaussian(1.0))(POINT, None, torch.zeros(3, 1).long(), generator())
    with pytest.raises(ConfigurationError, match="pass rng"):
        Corrupted(Gaussian(1.0))(MLP(2), None, y, None)
    with pytest.raises(ConfigurationError, match="k is 0"):
        Corrupted(Gaussian(1.0), 0)
