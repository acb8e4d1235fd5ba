import pytest
import torch
from metrics_support import GRID, randn

from ebmlab import Energy, FunctionEnergy
from ebmlab.energies import Gaussian, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics import grid_energies


class Largest(Energy):
    """(x - y)², and the largest batch that was asked for."""

    def __init__(self):
        super().__init__()
        self.batch = 0

    def forward(self, x, y, z=None):
        out = (x - y).square().sum(-1)
        self.batch = max(self.batch, out.numel())
        return out


@pytest.mark.parametrize("chunk", [1, 7, 40, 95, 10**6])
def test_grid_energies_are_all_pairs_in_bounded_memory(chunk):
    x, grid, energy = randn(13, 1), GRID[::60], Largest()
    out = grid_energies(energy, x, grid, chunk)
    assert torch.equal(out, (x - grid).square())
    assert energy.batch <= chunk


def test_grid_energies_carry_no_gradient_and_serve_energies_without_x():
    scale = torch.nn.Parameter(torch.tensor(2.0))
    trained = FunctionEnergy(lambda x, y: scale * (x - y).square().sum(-1), ("x", "y"))
    x, grid = torch.zeros(3, 1), torch.linspace(-1, 1, 5)
    assert not grid_energies(trained, x, grid).requires_grad
    alone = Gaussian(torch.zeros(1), torch.eye(1))
    out = grid_energies(alone, torch.zeros(3, 7), grid)
    assert torch.equal(out, (0.5 * grid.square()).expand(3, 5))


def test_grid_energies_refuse_images_and_empty_grids():
    x = torch.zeros(3, 1)
    with pytest.raises(ConfigurationError, match="y_ndim 3"):
        grid_energies(SquaredDistance(ndim=3), x, torch.zeros(5))
    with pytest.raises(ShapeError, match="neither empty"):
        grid_energies(SquaredDistance(), x, torch.zeros(0))
    with pytest.raises(ShapeError, match="neither empty"):
        grid_energies(SquaredDistance(), x[:0], torch.zeros(5))
    with pytest.raises(ConfigurationError, match="chunk"):
        grid_energies(SquaredDistance(), x, torch.zeros(5), chunk=0)
