"""Backbones that a user brings."""

import sys

import pytest
import torch
from cli_support import ebmlab
from torch import nn

from ebmlab.errors import ConfigurationError
from ebmlab.runs import configured
from ebmlab.runs._images.brought import brought, placed
from ebmlab.runs._images.encoders import encoder
from ebmlab.runs.restore import restore

NETS = """
import torch
from torch import nn
from parts import Norm

def plain():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(5))

def sized(size, channels=7):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, 6), nn.Dropout())

class Maps(nn.Module):
    def __init__(self, channels, **more):
        super().__init__()
        assert not more
        self.net = nn.Sequential(nn.Conv2d(channels, 9, 3, padding=1), Norm(9))
        self.net[1].eval()
    def forward(self, x):
        return self.net(x)

class By(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.forward = forward

def flat_size():
    return By(lambda x: x.flatten(1))

def listed():
    return By(lambda x: [x])

def tokens():
    return By(lambda x: x.flatten(2))

def whole():
    return By(lambda x: x.long().flatten(1))

def three():
    return nn.Conv2d(3, 4, 1)

def breaks():
    raise RuntimeError("no weights here")

def leaves(depth):
    return None

def number():
    return 3

constant = 7
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A current folder with a user's modules, which is on no path."""
    (tmp_path / "mynets.py").write_text(NETS)
    (tmp_path / "parts.py").write_text("from torch.nn import BatchNorm2d as Norm")
    (tmp_path / "torn.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield
    for name in ("mynets", "parts", "torn"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "width"),
    [("mynets:plain", 5), ("mynets:sized", 6), ("mynets:Maps", 9), ("mynets.py:Maps", 9)],
)
def test_a_network_is_called_with_what_it_names_and_its_width_is_found(name, width):
    path, state = list(sys.path), torch.get_rng_state()
    network, found = encoder(name, 2, 12)
    assert found == width
    assert network(torch.randn(3, 2, 12, 12)).shape == (3, width)
    assert sys.path == path
    assert not torch.equal(torch.get_rng_state(), state)


def test_finding_the_width_leaves_the_network_as_it_was():
    network, _ = brought("mynets:Maps", 1, (8,))
    (norm,) = (m for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert (network.training, norm.training) == (True, False)
    assert norm.num_batches_tracked == 0
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(network(x), network[0](x).mean((2, 3)))


WRONG = {
    "mynets:nothing": "mynets holds nothing of that name",
    "mynets:constant": "mynets holds a int",
    "nomodule:build": "there is no module nomodule: install it, or run this where it lies",
    "none.py:build": "none.py is no file",
    "torn:build": "torn:build cannot be imported: ZeroDivisionError",
    "mynets:breaks": r"called with \(\), fails: RuntimeError: no weights here",
    "mynets:leaves": r"called with \(\), fails: TypeError",
    "mynets:number": "returns a int; it must return an nn.Module",
    "mynets:three": r"does not take images \(2, 1, 8, 8\): RuntimeError",
    "mynets:listed": r"makes a list of images \(2, 1, 8, 8\); it must make codes",
    "mynets:tokens": r"makes torch.float32 \(2, 1, 64\) of images",
    "mynets:whole": r"makes torch.int64 \(2, 64\) of images",
    "os:abort": "os is Python's own and has no networks",
    "my nets:plain": "expected PACKAGE.MODULE:FUNCTION",
    ":plain": "expected PACKAGE.MODULE:FUNCTION",
    "timm:hf-hub:some/one": "expected PACKAGE.MODULE:FUNCTION",
    "timm:../resnet": "expected timm:MODEL",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_encoder_is_told_of(name):
    with pytest.raises(ConfigurationError, match=WRONG[name]):
        encoder(name, 1, 8)


def test_one_width_is_needed_where_crops_have_several_sizes():
    assert encoder("mynets:Maps", 1, 16, several_sizes=True).width == 9
    assert encoder("mynets:flat_size", 1, 16).width == 256
    with pytest.raises(ConfigurationError, match="64 and 256 numbers for images of sizes 16, 8"):
        encoder("mynets:flat_size", 1, 16, several_sizes=True)


def test_a_run_with_ones_own_encoder_can_be_gone_on_with_and_evaluated(tmp_path, monkeypatch):
    name, run = "mynets.py:Maps", tmp_path / "run"
    train = ("train", "simclr", "--encoder", name, "--limit", 32, "--batch-size", 16, "--out", run)
    assert ebmlab(monkeypatch, *train, "--epochs", 1) == 0
    assert ebmlab(monkeypatch, *train, "--epochs", 2, "--resume") == 0
    # A file is found again from elsewhere, with what it imports from beside it.
    monkeypatch.chdir("/")
    sys.modules.pop("parts")
    config, built, _ = restore(run)
    assert config.encoder == placed(str(tmp_path / "mynets.py:Maps"))
    assert built.setting.width == 9
    assert configured("simclr", encoder="mynets:Maps").encoder == "mynets:Maps"


def test_a_backbone_of_timm_has_no_classifier_and_the_channels_of_the_images():
    pytest.importorskip("timm")
    assert encoder("timm:resnet10t", 1, 32).width == 512
    with pytest.raises(ConfigurationError, match="fails: RuntimeError: Unknown model"):
        encoder("timm:no_such_model", 1, 32)
