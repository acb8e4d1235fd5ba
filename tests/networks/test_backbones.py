"""What every backbone of images keeps to, and how many parameters each has."""

import pytest
import torch
from problems import generator
from torch import nn

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import ConvEncoder, RegNetY, ResNet, ViT, regnety, vit_small, vit_tiny
from ebmlab.networks._backbones.regnet import stages_of
from ebmlab.networks._backbones.regnets import REGNETYS

SPEC = (5, 8, 12.0, 2.0, 8)

# Each in a small form: (network, length of its code, another size that it serves).
BACKBONES = {
    "ResNet-18": lambda: (ResNet(18, 3, width=4), 32, (40, 56)),
    "ResNet-18, small": lambda: (ResNet(18, 3, small=True, width=4), 32, (9, 20)),
    "ResNet-50": lambda: (ResNet(50, 3, small=True, width=4), 128, (16, 24)),
    "RegNetY": lambda: (RegNetY(*SPEC), 64, (48, 33)),
    "ViT": lambda: (ViT(32, 8, dim=12, depth=2, heads=3), 12, (16, 40)),
    "ConvEncoder": lambda: (ConvEncoder(3, 4), 16, (28, 17)),
}


def _images(*size, n=4, c=3):
    return torch.randn(n, c, *size, generator=generator())


@pytest.fixture(params=BACKBONES)
def backbone(request):
    return BACKBONES[request.param]()


def test_codes_have_the_length_that_is_stated_at_any_size(backbone):
    network, dim, size = backbone
    assert network.dim == dim
    assert network(_images(32, 32)).shape == (4, dim)
    assert network(_images(*size)).shape == (4, dim)


def test_a_gradient_reaches_every_parameter(backbone):
    network, dim, _ = backbone
    weight = torch.randn(dim, generator=generator(1))
    (network(_images(32, 32)) @ weight).tanh().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_codes_of_images_do_not_depend_on_the_others_in_evaluation(backbone):
    network, _, _ = backbone
    network.double()(_images(32, 32).double())
    network.eval()
    t = _images(32, 32).double()
    alone = torch.cat([network(image[None]) for image in t])
    torch.testing.assert_close(network(t), alone, rtol=1e-9, atol=1e-9)
    assert (alone[0] - alone[1]).abs().max() > 1e-6


def test_batch_norm_in_training_couples_images_and_is_seen_by_that_judge():
    network, t = ConvEncoder(3, 4).double(), _images(16, 16).double()
    assert (network(t)[:2] - network(t[:2])).abs().max() > 1e-3


def test_the_layout_of_memory_changes_nothing(backbone):
    network, _, _ = backbone
    network.double().eval()
    t = _images(32, 32).double()
    expected = network(t)
    last = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(
        last(t.to(memory_format=torch.channels_last)), expected, rtol=1e-9, atol=1e-9
    )


def test_images_of_another_kind_are_refused(backbone):
    network, _, _ = backbone
    for wrong in (_images(32, 32, c=1), _images(32, 32)[0]):
        with pytest.raises(ShapeError, match=r"received shape .* \(n, 3, height, width\)"):
            network(wrong)


def _count(make):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in make().parameters())


# Those of the networks in common use, less their classifiers of 1000 outputs.
@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: ResNet(18), 11_176_512),
        (lambda: ResNet(34), 21_284_672),
        (lambda: ResNet(50), 23_508_032),
        (lambda: ResNet(101), 42_500_160),
        (lambda: ResNet(18, small=True), 11_168_832),
        (lambda: vit_tiny(), 5_524_416),
        (lambda: vit_small(), 21_665_664),
        (lambda: ConvEncoder(), 92_896),
    ],
)
def test_parameters_are_as_many_as_are_known(make, count):
    assert _count(make) == count


# Depths and widths of the stages, parameters: exact, or in millions.
GENERATED = {
    "400mf": ((1, 3, 6, 6), (48, 104, 208, 440), 3_903_144),
    "800mf": ((1, 3, 8, 2), (64, 128, 320, 768), 5.494),
    "1.6gf": ((2, 6, 17, 2), (48, 120, 336, 888), 10_313_430),
    "3.2gf": ((2, 5, 13, 1), (72, 216, 576, 1512), 17_923_338),
    "8gf": ((2, 4, 10, 1), (168, 448, 896, 2016), 37.163),
    "16gf": ((2, 4, 11, 1), (224, 448, 1232, 3024), 80_565_140),
    "32gf": ((2, 5, 12, 1), (232, 696, 1392, 3712), 141_333_770),
    "64gf": ((2, 5, 12, 1), (328, 984, 1968, 4920), 276.458),
    "128gf": ((2, 7, 17, 1), (528, 1056, 2904, 7392), 637_419_894),
    "256gf": ((2, 7, 17, 1), (746, 1492, 4103, 10444), 1272.156),
    "10b": ((2, 7, 17, 1), (2020, 4040, 11110, 28280), 9323.935),
}


def test_five_numbers_generate_the_published_networks():
    assert set(GENERATED) == set(REGNETYS)
    for name, (depths, widths, parameters) in GENERATED.items():
        assert stages_of(*REGNETYS[name]) == list(zip(depths, widths, strict=True))
        assert REGNETYS[name].dim == widths[-1]
        count = _count(lambda name=name: regnety(name))
        exact = isinstance(parameters, int)
        assert (count if exact else round(count / 1e6, 3)) == parameters, name


@pytest.mark.parametrize(
    "make",
    [
        lambda: ResNet(19),
        lambda: regnety("9gf"),
        lambda: ViT(30, 8),
        lambda: ViT(4, 8),
        lambda: ViT(32, 8, dim=10, heads=3),
    ],
)
def test_impossible_backbones_are_refused(make):
    with pytest.raises(ConfigurationError):
        make()


def test_blocks_that_start_at_zero_begin_as_the_identity():
    network = ResNet(18, 3, small=True, width=4, zero_init=True).eval()
    h = network.stem(_images(8, 8))
    torch.testing.assert_close(network.stages[0](h), h)
    plain = ResNet(18, 3, small=True, width=4).eval()
    assert (plain.stages[0](h) - h).abs().max() > 0.1
    assert isinstance(network.stages[0], nn.Sequential)
