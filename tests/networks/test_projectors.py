"""Projectors, predictors and constants of recipes are those of their papers."""

import inspect

import pytest
from torch import nn

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.networks import BatchNorm, Projector

PROJECTION = {"projection": 5, "hidden": 7}

# What follows a backbone of 3 dimensions: widths, "n" a normalization with and "s" one without
# scale and shift, "r" and "g" ReLU and GELU, "b" a bias that nothing cancels.
PROJECTORS = {
    "simclr": ({"projection": 5}, "3 n r 5 b"),
    "moco": ({"projection": 5, "memory": 4}, "3 b r 5 b"),
    "nnclr": ({"memory": 4, **PROJECTION}, "7 n r 7 n r 5 n"),
    "byol": (PROJECTION, "7 n r 5 b"),
    "simsiam": ({"projection": 5}, "5 n r 5 n r 5 s"),
    "barlow_twins": (PROJECTION, "7 n r 7 n r 5"),
    "lejepa": (PROJECTION, "7 n r 7 n r 5 b"),
    "w_mse": (PROJECTION, "7 n r 5 b"),
    "swav": ({"prototypes": 4, **PROJECTION}, "7 n r 5 b"),
    "deepcluster": ({"memory": 4, "every": 1, "prototypes": (4,), **PROJECTION}, "7 n r 5 b"),
    "dino": ({"outputs": 4, "hidden": 7, "bottleneck": 5}, "7 b g 7 b g 5 b"),
    "paws": ({"classes": 2, **PROJECTION}, "7 n r 7 n r 5 b"),
}
PREDICTORS = {
    "byol": (PROJECTION, "7 n r 5 b"),
    "simsiam": ({"projection": 5, "bottleneck": 2}, "2 n r 5 b"),
    "nnclr": ({"memory": 4, "bottleneck": 9, **PROJECTION}, "9 n r 5 b"),
}
DEFAULTS = {
    "simclr": {"projection": 128, "temperature": 0.5},
    "moco": {"projection": 128, "memory": 65536, "temperature": 0.2, "decay": 0.999},
    "nnclr": {"projection": 256, "hidden": 2048, "bottleneck": 4096, "memory": 98304},
    "byol": {"projection": 256, "hidden": 4096, "decay": 0.99},
    "simsiam": {"projection": 2048, "bottleneck": 512},
    "barlow_twins": {"projection": 8192, "hidden": 8192, "off_diagonal": 0.0051},
    "vicreg": {"invariance": 25.0, "std": 25.0, "cov": 1.0},
    "lejepa": {"weight": 0.05, "directions": 1024},
    "w_mse": {"projection": 64, "hidden": 1024, "rows": 128},
    "swav": {"prototypes": 3000, "projection": 128, "temperature": 0.1, "epsilon": 0.05},
    "deepcluster": {"prototypes": (3000,) * 3, "temperature": 0.1, "iterations": 10},
    "dino": {"outputs": 65536, "bottleneck": 256, "target_temperature": 0.04, "momentum": 0.9},
    "paws": {"temperature": 0.1, "sharpen": 0.25, "smoothing": 0.1, "entropy": 1.0},
    "masked_autoencoder": {"dim": 768, "decoder_dim": 512, "decoder_depth": 8, "normalized": True},
}


def built(name, sizes):
    return getattr(methods, name)(nn.Identity(), 3, **sizes)


def parts(network):
    """The signs of what a network is made of."""
    signs = {nn.ReLU: "r", nn.GELU: "g"}
    for part in network.modules():
        if isinstance(part, nn.Linear):
            yield str(part.out_features) + (" b" if part.bias is not None else "")
        elif isinstance(part, BatchNorm):
            yield "n" if part.affine else "s"
        elif type(part) in signs:
            yield signs[type(part)]


@pytest.mark.parametrize("name", PROJECTORS)
def test_projectors_are_the_papers(name):
    sizes, due = PROJECTORS[name]
    energy = built(name, sizes).energy
    online = energy.encoder if name == "paws" else energy.online
    assert " ".join(parts(online)) == due


@pytest.mark.parametrize("name", PREDICTORS)
def test_predictors_are_the_papers(name):
    sizes, due = PREDICTORS[name]
    assert " ".join(parts(built(name, sizes).energy.head.predictor)) == due


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_the_papers(name):
    known = inspect.signature(getattr(methods, name)).parameters
    assert {key: known[key].default for key in DEFAULTS[name]} == DEFAULTS[name]


def test_one_layer_is_linear_and_none_raises():
    assert " ".join(parts(Projector(3, 7, 5, layers=1))) == "5 b"
    with pytest.raises(ConfigurationError, match="layers is 0"):
        Projector(3, 7, 5, layers=0)
