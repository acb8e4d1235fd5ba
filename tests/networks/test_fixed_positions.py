"""The masked autoencoder's fixed positions and first weights against plain formulas."""

import math

import pytest
import torch
from problems import F64, generator

from ebmlab import methods
from ebmlab.errors import ConfigurationError
from ebmlab.networks import MaskedAutoencoder, ViT
from ebmlab.networks._backbones.positions import sine_cosine


def plain(side, dim):
    """Element by element: columns first, then rows; sines, then cosines."""
    quarter = dim // 4
    table = [[0.0] * dim]
    for row in range(side):
        for column in range(side):
            code = []
            for place in (column, row):
                angles = [place / 10_000 ** (i / quarter) for i in range(quarter)]
                code += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
            table.append(code)
    return torch.tensor(table, dtype=F64)


@pytest.mark.parametrize(("side", "dim"), [(1, 4), (3, 8), (14, 32)])
def test_positions_are_sines_and_cosines_of_column_and_row(side, dim):
    codes = sine_cosine(side, dim)
    torch.testing.assert_close(codes, plain(side, dim), rtol=1e-12, atol=1e-14)
    if side > 1:
        halves = codes.chunk(2, dim=1)
        assert (torch.cat(halves[::-1], dim=1) - codes).abs().max() > 0.5


def test_positions_of_other_lengths_are_refused():
    with pytest.raises(ConfigurationError, match="multiple of 4"):
        sine_cosine(2, 6)
    with pytest.raises(ConfigurationError, match="multiple of 4"):
        ViT(4, 2, dim=6, depth=1, heads=1, fixed=True)
    with pytest.raises(ConfigurationError, match="multiple of 4"):
        MaskedAutoencoder(ViT(4, 2, dim=6, depth=1, heads=1), dim=6, depth=1, heads=1)


def build(dim=12, decoder_dim=8):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return methods.masked_autoencoder(
            8, 2, channels=1, dim=dim, depth=2, heads=4, decoder_dim=decoder_dim,
            decoder_depth=1, decoder_heads=2, normalized=False,
        )  # fmt: skip


def test_encoder_and_decoder_have_them_and_neither_learns_them():
    method = build()
    g = method.energy.network
    for network, dim in ((g, 8), (g.encoder, 12)):
        torch.testing.assert_close(network.positions, plain(4, dim)[None].float())
    assert not [name for name, _ in method.named_parameters() if "positions" in name]
    assert len([name for name in method.state_dict() if name.endswith("network.positions")]) == 1
    assert isinstance(ViT(4, 2, dim=4, depth=1, heads=1).positions, torch.nn.Parameter)


def swapped(indices, a, b):
    return torch.where(indices == a, b, torch.where(indices == b, a, indices))


def test_where_two_places_are_exchanged_in_both_networks_their_predictions_are():
    network = build().double().energy.network
    visible = torch.tensor([[1, 4, 6, 9]])
    patches = torch.rand(1, 4, 4, generator=generator(), dtype=F64)
    hidden = [i for i in range(16) if i not in visible[0].tolist()]
    with torch.no_grad():
        before = network(patches, visible)[0]
        for part in (network, network.encoder):
            order = 1 + swapped(torch.arange(16), 2, 9)
            part.positions[:, 1:] = part.positions[:, order]
        moved = torch.where(visible == 9, 2, visible)
        after = network(patches, moved)[0]
    # 9 was visible and 2 hidden; now they are the other way round, with their positions.
    others = [i for i in range(16) if i not in moved[0].tolist()]
    for i, place in enumerate(hidden):
        became = 9 if place == 2 else place
        torch.testing.assert_close(after[others.index(became)], before[i], rtol=1e-10, atol=1e-12)
    assert (before[hidden.index(2)] - before[hidden.index(3)]).abs().max() > 1e-4


def test_every_parameter_has_the_slope_of_its_finite_difference():
    method = build().double()
    visible = torch.tensor([[1, 4, 6, 9], [0, 3, 10, 15]])
    patches = torch.rand(2, 4, 4, generator=generator(), dtype=F64)
    y = torch.rand(2, 12, 4, generator=generator(1), dtype=F64)
    x = (patches, visible)
    own = dict(method.named_parameters())
    slopes = torch.autograd.grad(method(x, y).value, list(own.values()))
    rng, step = generator(2), 1e-5
    for (name, p), slope in zip(own.items(), slopes, strict=True):
        along = torch.randn(p.shape, generator=rng, dtype=F64)
        with torch.no_grad():
            p.add_(step * along)
            above = method(x, y).value
            p.sub_(2 * step * along)
            below = method(x, y).value
            p.add_(step * along)
        due = (above - below) / (2 * step)
        torch.testing.assert_close((slope * along).sum(), due, rtol=1e-6, atol=1e-9, msg=name)
        assert slope.abs().max() > 1e-6, name


def test_weights_begin_uniform_within_xaviers_bounds():
    method = build(64, 32)
    g = method.energy.network
    layers = [g.encoder.embedding, g.enter, g.leave, g.encoder.blocks[0].qkv, g.blocks[0].mlp[2]]
    for layer in layers:
        out, entries = layer.weight.flatten(1).shape
        bound = math.sqrt(6 / (out + entries))
        sizes = layer.weight.abs()
        assert 0.9 * bound < sizes.max() <= bound
        torch.testing.assert_close(sizes.mean() / bound, torch.tensor(0.5), rtol=0, atol=0.1)
        assert not layer.bias.any()
    for token in (g.mask, g.encoder.cls):
        assert 0.01 < token.std() < 0.03
