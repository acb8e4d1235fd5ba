"""I-JEPA against its formula written out, and its blocks of patches."""

import pytest
import torch
from problems import F64, generator
from torch.nn import functional

from ebmlab import methods
from ebmlab.data.views import Blocks
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import patched


def pictures(n=5, size=8):
    return torch.rand(n, 1, size, size, generator=generator(), dtype=F64)


def build(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return methods.ijepa(
            8, 2, channels=1, dim=12, depth=1, heads=3, predictor_dim=8, predictor_depth=1,
            predictor_heads=2, **settings,
        ).double()  # fmt: skip


def by_hand(method, x, y):
    """Each image and target by itself: mean squared error of normalized codes."""
    (_, visible, hidden), (images, _) = x, y
    p, teacher = method.energy.network, method.energy.target.module.encoder
    errors = []
    for i, image in enumerate(images):
        seen = p.encoder.tokens(image[None], visible[i : i + 1])[:, 1:]
        seen = p.enter(seen) + p.positions[visible[i]]
        due = functional.layer_norm(teacher.tokens(image[None])[0, 1:], (12,))
        for block in hidden[i]:
            h = torch.cat([seen, p.mask + p.positions[block]], 1)
            told = p.leave(p.norm(p.blocks(h)))[0, len(visible[i]) :]
            errors.append((told - due[block].detach()).square().mean())
    return torch.stack(errors).mean()


def test_the_loss_and_its_gradient_are_the_papers_formula():
    method = build()
    x, y = Blocks(2)(pictures(), generator(1))
    # The teacher has moved on its own, so that it and the encoder differ.
    method.energy.target.module.encoder.cls.data.add_(1.0)
    loss = method(x, y, generator()).value
    due = by_hand(method, x, y)
    torch.testing.assert_close(loss, due)
    weights = [w for w in method.parameters() if w.requires_grad]
    for got, exact in zip(
        torch.autograd.grad(loss, weights, allow_unused=True),
        torch.autograd.grad(due, weights, allow_unused=True),
        strict=True,
    ):
        torch.testing.assert_close(got, exact)


def test_the_teacher_trails_the_encoder_and_the_code_is_the_mean_of_patches():
    method = build(decay=0.75)
    teacher = method.energy.target.module.encoder
    start = teacher.embedding.weight.clone()
    method.encoder.embedding.weight.data.add_(1.0)
    images = pictures()
    method(*Blocks(2)(images, generator()), generator()).commit()
    torch.testing.assert_close(teacher.embedding.weight, start + 0.25)
    torch.testing.assert_close(method.encode(images), method.encoder.tokens(images)[:, 1:].mean(1))


def test_blocks_are_blocks_and_nothing_of_a_target_is_visible():
    images = pictures(60, 16)
    view = Blocks(2, targets=3, scale=(0.2, 0.2), aspect=(0.8, 0.8), context=(1.0, 1.0))
    (patches, visible, hidden), (same, again) = view(images, generator())
    assert same is images
    assert again is hidden
    # 0.2 of 8 × 8 patches at an aspect of 0.8: 3.2 by 4.
    rows, columns = hidden // 8, hidden % 8
    assert hidden.shape == (60, 3, 12)
    assert ((rows - rows[..., :1]) == torch.arange(3).repeat_interleave(4)).all()
    assert ((columns - columns[..., :1]) == torch.arange(4).repeat(3)).all()
    assert rows[..., 0].unique().tolist() == list(range(6))
    assert columns[..., 0].unique().tolist() == list(range(5))
    assert not (visible[:, :, None] == hidden.flatten(1)[:, None]).any()
    torch.testing.assert_close(patches, patched(images, 2).take_along_dim(visible[..., None], 1))
    fewest = 64 - max(len(set(row.flatten().tolist())) for row in hidden)
    assert visible.shape == (60, fewest)
    assert visible.diff(dim=1).min() > 0


def test_the_context_is_a_block_too():
    view = Blocks(2, targets=1, scale=(0.02, 0.02), aspect=(1.0, 1.0), context=(0.25, 0.25))
    (_, visible, _), _ = view(pictures(40, 16), generator())
    for line in (visible // 8, visible % 8):
        assert (line.amax(1) - line.amin(1)).max() <= 3
    assert visible.shape[1] in (15, 16)


def test_targets_that_leave_nothing_visible_are_drawn_anew_or_refused():
    (_, visible, _), _ = Blocks(2, targets=4, scale=(0.25, 0.25))(pictures(400), generator())
    assert visible.shape[1] >= 1
    with pytest.raises(ConfigurationError, match="fewer than 1 visible"):
        Blocks(2, targets=1, scale=(1.0, 1.0), aspect=(1.0, 1.0))(pictures(), generator())
    for bad in ({"scale": (0.0, 0.1)}, {"context": (0.5, 1.2)}, {"aspect": (2.0, 1.0)}):
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            Blocks(2, **bad)
    with pytest.raises(ShapeError, match="Blocks received"):
        Blocks(2)(pictures()[0], generator())


def test_parts_that_do_not_fit_are_refused():
    energy = build().energy
    x, y = Blocks(2)(pictures(), generator())
    with pytest.raises(ShapeError, match="y is one tensor; expected a tuple of 2"):
        energy(x, y[0])
    with pytest.raises(ShapeError, match="expected \\(n, k, 4\\)"):
        energy((x[0][..., :3], x[1], x[2]), y)
    with pytest.raises(ConfigurationError, match="pass both"):
        type(energy)(energy.network, target=energy.target)
    pairs = energy(tuple(part[:, None] for part in x), tuple(part[None] for part in y))
    torch.testing.assert_close(pairs.diagonal(), energy(x, y))
