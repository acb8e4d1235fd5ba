"""Masked autoencoding against the plain formulas of its paper, and its patches and masks."""

import pytest
import torch
from problems import F64, generator, has_mean
from torch.nn import functional

from ebmlab import methods
from ebmlab.data.views import Masked
from ebmlab.energies import Completion, PatchError, SquaredDistance
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import MaskedAutoencoder, ViT, patched
from ebmlab.networks._backbones.patches import assembled, hidden_patches

SIZE, PATCH, CHANNELS = 8, 2, 3


def build(normalized=True):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return methods.masked_autoencoder(
            SIZE, PATCH, channels=CHANNELS, dim=12, depth=2, heads=3, decoder_dim=8,
            decoder_depth=1, decoder_heads=2, normalized=normalized,
        ).double()  # fmt: skip


def pictures(n=5, seed=0, size=SIZE):
    return torch.rand(n, CHANNELS, size, size, generator=generator(seed), dtype=F64)


def norm(h, weights):
    return functional.layer_norm(h, h.shape[-1:], weights.weight, weights.bias, 1e-6)


def cut(images):
    """Patches (n, count, patch² c), each taken by its corner."""
    corners = [
        (i, j) for i in range(0, images.shape[2], PATCH) for j in range(0, images.shape[3], PATCH)
    ]
    patches = [images[:, :, i : i + PATCH, j : j + PATCH] for i, j in corners]
    return torch.stack([patch.movedim(1, -1).flatten(1) for patch in patches], dim=1)


def blocks(h, layers, heads):
    """Pre-norm transformer blocks with the softmax written out."""
    for layer in layers:
        parts = [
            each.chunk(heads, -1) for each in layer.qkv(norm(h, layer.attention_norm)).chunk(3, -1)
        ]
        shares = [
            (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v for q, k, v in zip(*parts, strict=True)
        ]
        h = h + layer.out(torch.cat(shares, -1))
        first, _, second = layer.mlp
        h = h + second(functional.gelu(first(norm(h, layer.mlp_norm))))
    return h


def authors(method, images, noise, share, normalized):
    """The loss as the authors compute it: shuffle, keep, decode, put back, compare."""
    g = method.energy.network
    f = g.encoder
    n, count = noise.shape
    shuffle = noise.argsort(1)
    restore = shuffle.argsort(1)
    keep = int(count * (1 - share))
    kernel = f.embedding.weight.permute(2, 3, 1, 0).flatten(0, 2)
    target = cut(images)
    tokens = target @ kernel + f.embedding.bias + f.positions[:, 1:]
    rows = torch.arange(n)[:, None]
    h = torch.cat(
        [(f.cls + f.positions[:, :1]).expand(n, -1, -1), tokens[rows, shuffle[:, :keep]]], 1
    )
    h = g.enter(norm(blocks(h, f.blocks, 3), f.norm))
    whole = torch.cat([h[:, 1:], g.mask.expand(n, count - keep, -1)], dim=1)[rows, restore]
    h = torch.cat([h[:, :1], whole], dim=1) + g.positions
    predicted = g.leave(norm(blocks(h, g.blocks, 2), g.norm))[:, 1:]
    if normalized:
        target = (target - target.mean(-1, keepdim=True)) / (
            target.var(-1, keepdim=True) + 1e-6
        ).sqrt()
    mask = torch.ones(n, count, dtype=F64)
    mask[:, :keep] = 0
    mask = mask[rows, restore]
    loss = (predicted - target).square().mean(-1)
    return (loss * mask).sum() / mask.sum(), shuffle[:, :keep]


@pytest.mark.parametrize("normalized", [True, False])
def test_the_loss_and_its_gradients_are_the_authors(normalized):
    method, images = build(normalized), pictures()
    noise = torch.rand(5, 16, generator=generator(1))
    due, visible = authors(method, images, noise, 0.75, normalized)
    patches = patched(images, PATCH)
    hidden = hidden_patches(visible, 16)
    x, y = (patches.take_along_dim(i[..., None], 1) for i in (visible, hidden))
    value = method((x, visible), y).value
    torch.testing.assert_close(value, due, rtol=1e-12, atol=0)
    own = list(method.parameters())
    for a, b in zip(torch.autograd.grad(value, own), torch.autograd.grad(due, own), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-12)
    wrong, _ = authors(method, images, noise, 0.75, not normalized)
    assert (value - wrong).abs() > 0.1 * due


def test_patches_run_over_rows_columns_and_channels_and_come_together_again():
    images = torch.rand(2, 3, 4, 6, generator=generator(), dtype=F64)
    due = cut(images)
    assert torch.equal(patched(images, 2), due)
    order = torch.stack([torch.randperm(6, generator=generator(i)) for i in range(2)])
    shuffled = due.take_along_dim(order[..., None], 1)
    assert torch.equal(assembled(shuffled, order, (2, 3), 2), images)


def test_a_mask_splits_every_image_in_visible_and_hidden_patches():
    images = pictures(40)
    (shown, visible), asked = Masked(PATCH, 0.75)(images, generator())
    hidden = hidden_patches(visible, 16)
    assert visible.shape == (40, 4)
    assert torch.equal(
        torch.cat([visible, hidden], 1).sort(1).values, torch.arange(16).expand(40, 16)
    )
    patches = patched(images, PATCH)
    rows = torch.arange(40)[:, None]
    assert torch.equal(shown, patches[rows, visible])
    assert torch.equal(asked, patches[rows, hidden])
    assert len({tuple(row) for row in visible.tolist()}) > 30


def test_every_patch_is_as_often_visible_as_any_other():
    (_, visible), _ = Masked(PATCH, 0.75)(pictures(1).expand(4000, -1, -1, -1), generator(3))
    often = torch.nn.functional.one_hot(visible, 16).sum(1).double()
    assert all(has_mean(often[:, i], 0.25, (0.25 * 0.75) ** 0.5, 1e-6 / 16) for i in range(16))
    assert not has_mean(often[:, 0], 0.3, (0.25 * 0.75) ** 0.5, 1e-6 / 16)


def test_the_order_in_which_visible_patches_are_handed_does_not_matter():
    method, images = build(), pictures()
    (shown, visible), asked = Masked(PATCH, 0.5)(images, generator())
    turned = (shown.flip(1), visible.flip(1))
    torch.testing.assert_close(
        method.energy(turned, asked), method.energy((shown, visible), asked)
    )
    elsewhere = (shown, visible.flip(1))
    assert (
        method.energy(elsewhere, asked) - method.energy((shown, visible), asked)
    ).abs().max() > 1e-5


def test_the_representation_is_the_encoders_code_of_whole_images():
    method, images = build(), pictures()
    assert isinstance(method.encoder, ViT)
    torch.testing.assert_close(method.encode(images), method.encoder(images))
    assert method.encode(images).shape == (5, 12)


def test_trained_it_predicts_what_is_hidden_from_what_is_seen_and_commit_moves_nothing():
    # Every image is gray throughout, of a brightness of its own with variance 1.
    method, rng = build(normalized=False).float(), generator()
    images = torch.randn(64, 1, 1, 1, generator=rng).expand(64, CHANNELS, 8, 8)
    masked = Masked(PATCH, 0.5)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    for _ in range(50):
        loss = method(*masked(images, rng), rng)
        optimizer.zero_grad()
        loss.value.backward()
        optimizer.step()
        before = [p.clone() for p in method.parameters()]
        loss.commit()
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    with torch.no_grad():
        x, y = masked(images, rng)
        right = method.energy(x, y).mean()
        wrong = method.energy(x, y.roll(1, 0)).mean()
    assert right < 0.25 < 0.75 < wrong


def test_the_network_runs_once_however_many_y_are_judged():
    method, images = build(), pictures()
    x, y = Masked(PATCH, 0.5)(images, generator())
    head, predicted, same = method.energy.embed(x, y)
    assert same is y
    pairs = method.energy(tuple(part[:, None] for part in x), y[None])
    torch.testing.assert_close(head(predicted[:, None], y[None]), pairs)


def test_masks_and_patches_that_cannot_be_are_refused():
    for patch, share in ((0, 0.5), (2, 0.0), (2, 1.0)):
        with pytest.raises(ConfigurationError, match=r"(patch|share) is"):
            Masked(patch, share)
    with pytest.raises(ConfigurationError, match="0 of 16"):
        Masked(2, 0.99)(pictures(), generator())
    with pytest.raises(ShapeError, match="multiples of the patch, 3"):
        Masked(3)(pictures(), generator())
    with pytest.raises(ShapeError, match="received shape"):
        Masked(2)(pictures()[0], generator())
    with pytest.raises(ConfigurationError, match="rng"):
        Masked(2)(pictures(), None)
    network = build().energy.network
    for k in (0, 16):
        with pytest.raises(ShapeError, match="0 < k < 16"):
            network(torch.zeros(2, k, 12, dtype=F64), torch.zeros(2, k, dtype=torch.long))
    with pytest.raises(ConfigurationError, match="heads 3"):
        MaskedAutoencoder(ViT(4, 2, dim=4, depth=1, heads=1), dim=8, heads=3)
    with pytest.raises(ShapeError, match="no variance"):
        PatchError()(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1))
    with pytest.raises(ShapeError, match="tuple of 2"):
        Completion(network)(torch.zeros(2, 4, 12), torch.zeros(2, 12, 12))


def test_any_distance_completes_vectors_too():
    f = torch.nn.Bilinear(3, 2, 4).double()
    energy = Completion(f, SquaredDistance(), x_ndim=(1, 1))
    a, b, y = (torch.rand(6, d, generator=generator(d), dtype=F64) for d in (3, 2, 4))
    torch.testing.assert_close(energy((a, b), y), (f(a, b) - y).square().sum(1))
