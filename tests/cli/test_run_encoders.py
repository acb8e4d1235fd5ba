"""Every backbone that runs know by name, in the sizes of the images that runs know."""

import pytest
import torch
from problems import generator, randn

from ebmlab import methods
from ebmlab.energies import SquaredDistance
from ebmlab.networks import ViT
from ebmlab.objectives import Contractive
from ebmlab.runs import Config, train
from ebmlab.runs._images.encoders import ENCODERS, encoder

# The larger ones differ in their numbers alone.
NAMES = [n for n in ENCODERS if not n.startswith("regnety-") or n == "regnety-400mf"]


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 28), (3, 96)])
@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_gives_codes_of_its_width(name, channels, size):
    with torch.device("meta"):
        network, width = encoder(name, channels, size)
        assert network(torch.zeros(2, channels, size, size)).shape == (2, width)


QUICK = [("resnet18", "byol"), ("vit-tiny", "simclr")]
ALL = [
    pytest.param(name, method, marks=[] if (name, method) in QUICK else pytest.mark.slow)
    for name in NAMES
    for method in ("simclr", "byol")
]


@pytest.mark.parametrize(("name", "method"), ALL)
def test_a_run_takes_any_encoder(tmp_path, name, method):
    config = Config(method, "digits", 1, 4, 1e-3, True, name, 16, 4, 0, "cpu")
    done = train(config, tmp_path)
    assert done.fit is not None
    assert (done.fit.steps, done.fit.skipped) == (1, 0)


def test_the_slope_of_a_transformers_code_has_a_gradient():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        f = ViT(4, 2, dim=4, depth=1, heads=2, channels=1).double()
    energy = methods.autoencoder(f, torch.nn.Identity(), distance=SquaredDistance(3)).energy
    y = randn(3, 1, 4, 4)
    due = torch.autograd.functional.jacobian(lambda y: f(y).sum(0), y).square().sum() / 3
    value = Contractive()(energy, None, y, generator()).value
    torch.testing.assert_close(value, due, rtol=1e-10, atol=0)
    (slope,) = torch.autograd.grad(value, f.cls)
    way = randn(*f.cls.shape, seed=1)
    heights = []
    for step in (1e-5, -2e-5):
        f.cls.data.add_(step * way)
        heights.append(Contractive()(energy, None, y, generator()).value)
    numeric = (heights[0] - heights[1]).detach() / 2e-5
    torch.testing.assert_close((slope * way).sum(), numeric, rtol=1e-6, atol=0)
