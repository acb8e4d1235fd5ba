"""The error of an autoencoder as an energy of y."""

import torch
from torch import nn

from ebmlab import methods
from ebmlab.energies import Autoencoder, SquaredDistance


def test_the_energy_is_the_squared_error_of_the_copy():
    torch.manual_seed(0)
    f, g = nn.Linear(3, 2).double(), nn.Linear(2, 3).double()
    y = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    energy = Autoencoder(f, g)
    copies = (y @ f.weight.T + f.bias) @ g.weight.T + g.bias
    torch.testing.assert_close(energy(None, y), (copies - y).square().sum(-1))
    torch.testing.assert_close(energy.copy(y), copies)
    torch.testing.assert_close(energy.encode(y), y @ f.weight.T + f.bias)
    # It is what the recipe of an autoencoder descends, whose z is the code.
    torch.testing.assert_close(energy(None, y), methods.autoencoder(f, g).energy(None, y))
    slope = 2 * (copies - y) @ (g.weight @ f.weight - torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(energy.given().value_and_grad(y[0])[1], slope[0])


def test_images_are_copied_by_their_own_distance():
    f = nn.Conv2d(1, 2, 3, padding=1, stride=2)
    g = nn.ConvTranspose2d(2, 1, 2, stride=2)
    y = torch.rand(2, 3, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    energy = Autoencoder(f, g, SquaredDistance(3))
    assert energy(None, y).shape == (2, 3)
    assert energy.encode(y).shape == (2, 3, 2, 3, 3)
    torch.testing.assert_close(energy(None, y)[1, 2], (g(f(y[1, 2:3])) - y[1, 2:3]).square().sum())
