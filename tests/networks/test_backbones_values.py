"""Backbones against a second implementation that shares their weights."""

import pytest
import torch
from problems import generator
from torch import nn
from torch.nn import functional

from ebmlab import energies
from ebmlab.errors import ShapeError
from ebmlab.networks import BatchNorm, RegNetY, ResNet, ViT
from ebmlab.networks._backbones.regnet import stages_of


def _images(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def _trained(network):
    """In double precision, with statistics and scales that are not those of the start."""
    network = network.double()
    rng = generator(5)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.copy_(1 + 0.3 * torch.randn(tensor.shape, generator=rng))
            module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=rng))
    return network.eval()


class _Weights:
    """The weights of a network, handed out in the order in which it was built."""

    def __init__(self, network):
        kinds = (nn.Conv2d, BatchNorm)
        self.layers = iter([m for m in network.modules() if isinstance(m, kinds)])

    def conv(self, h, stride=1, groups=1):
        layer = next(self.layers)
        padding = layer.weight.shape[-1] // 2
        return functional.conv2d(h, layer.weight, layer.bias, stride, padding, groups=groups)

    def norm(self, h):
        layer = next(self.layers)
        shape = (1, -1, 1, 1)
        scale = layer.weight / (layer.running_var + 1e-5).sqrt()
        return (h - layer.running_mean.reshape(shape)) * scale.reshape(shape) + (
            layer.bias.reshape(shape)
        )


def _basic(w, h, stride, wider):
    out = w.norm(w.conv(functional.relu(w.norm(w.conv(h, stride)))))
    return functional.relu(out + (w.norm(w.conv(h, stride)) if wider else h))


def _bottleneck(w, h, stride, wider):
    out = functional.relu(w.norm(w.conv(h)))
    out = functional.relu(w.norm(w.conv(out, stride)))
    out = w.norm(w.conv(out))
    return functional.relu(out + (w.norm(w.conv(h, stride)) if wider else h))


@pytest.mark.parametrize(
    ("depth", "block", "counts"), [(18, _basic, (2, 2, 2, 2)), (50, _bottleneck, (3, 4, 6, 3))]
)
@pytest.mark.parametrize("small", [True, False])
def test_a_residual_network_is_its_plain_formula(depth, block, counts, small):
    network = _trained(ResNet(depth, 3, small=small, width=4))
    t = _images(2, 3, 40, 32)
    w = _Weights(network)
    h = functional.relu(w.norm(w.conv(t, 1 if small else 2)))
    h = h if small else functional.max_pool2d(h, 3, 2, 1)
    for i, count in enumerate(counts):
        for j in range(count):
            first = j == 0
            wider = first and (i > 0 or block is _bottleneck)
            h = block(w, h, 2 if first and i > 0 else 1, wider)
    torch.testing.assert_close(network(t), h.mean((2, 3)), rtol=1e-10, atol=1e-10)


def test_a_generated_network_is_its_plain_formula():
    numbers = (5, 8, 12.0, 2.0, 8)
    network = _trained(RegNetY(*numbers))
    t = _images(2, 3, 32, 40)
    w = _Weights(network)
    h = functional.relu(w.norm(w.conv(t, 2)))
    for depth, width in stages_of(*numbers):
        for j in range(depth):
            stride = 2 if j == 0 else 1
            out = functional.relu(w.norm(w.conv(h)))
            out = functional.relu(w.norm(w.conv(out, stride, width // 8)))
            squeezed = functional.relu(w.conv(out.mean((2, 3), keepdim=True)))
            assert squeezed.shape[1] == h.shape[1] // 4
            out = w.norm(w.conv(out * w.conv(squeezed).sigmoid()))
            h = functional.relu(out + (w.norm(w.conv(h, stride)) if j == 0 else h))
    torch.testing.assert_close(network(t), h.mean((2, 3)), rtol=1e-10, atol=1e-10)


def _vit():
    network = ViT(16, 4, dim=12, depth=3, heads=3).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(7)))
    return network


def _by_torch(network, patches):
    """The code of [cls] by torch's own encoder layers."""
    cls = (network.cls + network.positions[:, :1]).expand(len(patches), -1, -1)
    h = torch.cat([cls, patches], dim=1)
    for block in network.blocks:
        layer = nn.TransformerEncoderLayer(
            12, 3, 48, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True, dtype=torch.float64
        )
        layer.self_attn.in_proj_weight.data.copy_(block.qkv.weight)
        layer.self_attn.in_proj_bias.data.copy_(block.qkv.bias)
        pairs = [
            (layer.self_attn.out_proj, block.out),
            (layer.linear1, block.mlp[0]),
            (layer.linear2, block.mlp[2]),
            (layer.norm1, block.attention_norm),
            (layer.norm2, block.mlp_norm),
        ]
        for mine, theirs in pairs:
            mine.load_state_dict(theirs.state_dict())
        h = layer(h)
    return functional.layer_norm(h, (12,), network.norm.weight, network.norm.bias, 1e-6)[:, 0]


def _patches(network, t):
    """Embedded patches with their positions, cut out one by one."""
    weight, bias = network.embedding.weight.flatten(1), network.embedding.bias
    cut = [
        t[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].flatten(1) @ weight.T + bias
        for i in range(4)
        for j in range(4)
    ]
    return torch.stack(cut, dim=1) + network.positions[:, 1:]


def test_a_vision_transformer_is_torch_s_encoder_on_patches():
    network, t = _vit(), _images(3, 3, 16, 16)
    expected = _by_torch(network, _patches(network, t))
    torch.testing.assert_close(network(t), expected, rtol=1e-9, atol=1e-9)


def test_only_visible_patches_enter_and_each_keeps_its_position():
    network, t = _vit(), _images(3, 3, 16, 16)
    visible = torch.tensor([[0, 5, 9], [15, 3, 4], [7, 8, 2]])
    chosen = torch.stack([_patches(network, t)[i, visible[i]] for i in range(3)])
    expected = _by_torch(network, chosen)
    torch.testing.assert_close(network(t, visible), expected, rtol=1e-9, atol=1e-9)
    hidden = t.clone()
    hidden[0, :, :4, 4:8] = 100.0  # patch 1, which the first image does not show
    torch.testing.assert_close(network(hidden, visible), expected, rtol=1e-9, atol=1e-9)
    everything = torch.arange(16).flip(0).expand(3, -1)
    torch.testing.assert_close(network(t, everything), network(t), rtol=1e-9, atol=1e-9)
    with pytest.raises(ShapeError, match="visible"):
        network(t, visible[:2])


def test_positions_are_interpolated_in_rows_and_in_columns():
    network = _vit()
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    field = torch.stack([torch.ones(4, 4), rows, columns, *[torch.zeros(4, 4)] * 9], dim=-1)
    with torch.no_grad():
        network.positions[0, 1:] = field.reshape(16, 12)
    grid = network._grid(8, 2).reshape(8, 2, 12)
    torch.testing.assert_close(grid[..., 0], torch.ones(8, 2, dtype=torch.float64))
    assert (grid[1:, :, 1] > grid[:-1, :, 1]).all()
    assert (grid[:, 1, 2] > grid[:, 0, 2]).all()
    torch.testing.assert_close(grid[:, 0, 1], grid[:, 1, 1])
    torch.testing.assert_close(grid[0, :, 2], grid[7, :, 2])
    with pytest.raises(ShapeError, match="multiples of the patch, 4"):
        network(_images(1, 3, 16, 18))


def test_a_residual_energy_is_its_network_and_normalizes_each_image_by_itself():
    energy, t = energies.ResNet(3, width=4).double(), _images(2, 3, 3, 12, 9)
    each = [energy.network(image[None])[0, 0] for image in t.flatten(0, 1)]
    torch.testing.assert_close(energy(None, t), torch.stack(each).reshape(2, 3), rtol=1e-9, atol=0)
    network = energy.network[0]
    h = network.stem[0](t[0])
    mean = h.mean((1, 2, 3), keepdim=True)
    variance = (h - mean).square().mean((1, 2, 3), keepdim=True)
    expected = functional.silu((h - mean) / (variance + 1e-5).sqrt())
    torch.testing.assert_close(network.stem(t[0]), expected)
