"""Slopes of energies at data, against closed forms; what they leave behind."""

import pytest
import torch
from problems import COVARIANCE_3, f64, randn
from torch import nn

from ebmlab import FunctionEnergy
from ebmlab.energies import MLP, Gaussian, SquaredDistance, Whitened
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.prediction import slope_norms


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_the_slope_of_a_gaussian_is_its_precision_times_the_offset(chunk):
    mean, y = f64([1.0, 0.0, -2.0]), randn(11, 3)
    due = torch.linalg.solve(COVARIANCE_3, (y - mean).T).norm(dim=0)
    found = slope_norms(Gaussian(mean, COVARIANCE_3), y, chunk=chunk)
    torch.testing.assert_close(found, due)
    assert not torch.allclose(found, (y - mean).norm(dim=1))


def test_images_keep_their_shape_and_parameters_their_gradients():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0)).double()
    found = slope_norms(FunctionEnergy(net, y_ndim=3), randn(5, 1, 3, 4))
    weight = net[1].weight
    torch.testing.assert_close(found, weight.detach().norm().expand(5))
    assert not found.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_what_has_no_slope_of_its_own_is_refused():
    y = randn(4, 3)
    with pytest.raises(ConfigurationError, match="couples the rows"):
        slope_norms(Whitened(SquaredDistance(), eps=0.1), y)
    with pytest.raises(ShapeError, match="x is None"):
        slope_norms(SquaredDistance(), y)
    with pytest.raises(ShapeError, match="data has shape"):
        slope_norms(MLP(3).double(), y[None])
    with pytest.raises(ConfigurationError, match="chunk is 0"):
        slope_norms(MLP(3).double(), y, chunk=0)
    roots = FunctionEnergy(lambda y: y.sqrt().sum(-1))
    with pytest.raises(NonFiniteError, match="datum 1 is NaN"):
        slope_norms(roots, f64([[1.0], [-1.0]]))
