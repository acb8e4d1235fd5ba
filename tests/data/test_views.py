"""What every view keeps to, whatever it does."""

import pytest
import torch
from problems import generator
from views_support import ALL, IMAGE_VIEWS, POINT_VIEWS, SQUARE_VIEWS, data, images

from ebmlab.data import views
from ebmlab.errors import ConfigurationError, DeviceError, DtypeError, ShapeError


@pytest.mark.parametrize("name", ALL)
def test_a_view_follows_its_generator_alone_and_leaves_its_input(name):
    t = data(name)
    before, world = t.clone(), torch.get_rng_state()
    first, again = ALL[name](t, generator(1)), ALL[name](t, generator(1))
    other = ALL[name](t, generator(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(t, before)
    assert torch.equal(torch.get_rng_state(), world)


def _varies(view, sample):
    """Whether copies of one sample come out different."""
    out = view(sample.expand(32, *sample.shape[1:]), generator())
    return len({tuple(row.flatten().tolist()) for row in out}) > 1


@pytest.mark.parametrize("name", ALL)
def test_each_sample_has_draws_of_its_own(name):
    assert _varies(ALL[name], data(name, 1))


def _independent(view, t):
    """Whether each row, alone with its draws, comes out as it does among the others."""
    draws = view.draw(t, generator())
    every = view.apply(t, draws)
    kind = (lambda parts: type(draws)(*parts)) if hasattr(draws, "_fields") else tuple
    alone = [
        view.apply(t[i : i + 1], kind([part[i : i + 1] for part in draws])) for i in range(len(t))
    ]
    return bool((torch.cat(alone) - every).abs().max() < 1e-14)


@pytest.mark.parametrize("name", [name for name in ALL if "Compose" not in name])
def test_a_row_does_not_depend_on_the_others(name):
    assert _independent(ALL[name], data(name))


class Coupled(views.Augmentation):
    """Wrong: one draw for all, and contrast about the mean of the batch."""

    def draw(self, images, rng):
        return (torch.rand(1, generator=rng).expand(len(images)),)

    def apply(self, images, draws):
        mean, c = images.mean(), draws[0].reshape(-1, 1, 1, 1)
        return mean + c * (images - mean)


def test_a_view_that_shares_draws_or_couples_rows_would_be_seen():
    assert not _varies(Coupled(), images(1))
    assert not _independent(Coupled(), images())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_every_precision_comes_back_and_halves_are_computed_in_float32(name, dtype):
    t = data(name).to(dtype)
    out = ALL[name](t, generator())
    assert out.dtype == dtype
    assert torch.equal(out, ALL[name](t.float(), generator()).to(dtype))
    exact = ALL[name](t.double(), generator())
    torch.testing.assert_close(out.double(), exact, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", IMAGE_VIEWS)
def test_images_stay_between_zero_and_one(name):
    t = images(64).round(decimals=1).float()
    out = IMAGE_VIEWS[name](t, generator())
    assert out.min() >= -1e-6
    assert out.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", [name for name in ALL if "Compose" not in name])
def test_gradients_pass(name):
    view, t = ALL[name], data(name, 2)[..., :7]
    t = t[..., :7, :].requires_grad_() if t.ndim == 4 else t.requires_grad_()
    draws = view.draw(t, generator(3))
    assert torch.autograd.gradcheck(lambda y: view.apply(y, draws), t, fast_mode=True)


@pytest.mark.parametrize("c", [1, 3])
def test_settings_that_do_nothing_do_nothing(c):
    t = images(c=c, w=12).float()
    idle = [
        views.Crop(12, (1.0, 1.0), (1.0, 1.0)),
        views.Flip(0.0),
        views.Rotate(0.0),
        views.ColorJitter(),
        views.ColorJitter(0.5, 0.5, 0.5, 0.2, probability=0.0),
        views.Brightness(0.0),
        views.Grey(0.0),
        views.Solarize(0.0),
        views.Blur(3, probability=0.0),
        views.Noise(0.0),
    ]
    for view in idle:
        torch.testing.assert_close(view(t, generator()), t, rtol=0, atol=3e-6)
    turned = views.ColorJitter(hue=1e-9)(t, generator())
    torch.testing.assert_close(turned, t, rtol=0, atol=1e-6)
    assert torch.equal(views.PointNoise(0.0)(t[:, 0, 0], generator()), t[:, 0, 0])
    assert torch.equal(views.PointRotation(0.0)(t[:, 0, 0], generator()), t[:, 0, 0])


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_batch_is_named(name):
    view, t = ALL[name], data(name)
    for wrong in (t[0], t[None], t[:0]):
        with pytest.raises(ShapeError, match=r"received shape \("):
            view(wrong, generator())
    with pytest.raises(DtypeError, match=r"uint8.*float"):
        view((255 * t).byte(), generator())
    with pytest.raises(ConfigurationError, match="rng"):
        view(t, None)
    with pytest.raises(DeviceError, match="rng is on cpu, the tensors on meta"):
        view(t.to("meta"), generator())


@pytest.mark.parametrize(
    "make",
    [
        lambda: views.Crop(0),
        lambda: views.Crop(8, (0.5, 0.2)),
        lambda: views.Crop(8, (0.5, 1.2)),
        lambda: views.Crop(8, ratio=(0.0, 1.0)),
        lambda: views.Flip(1.1),
        lambda: views.Rotate(-1.0),
        lambda: views.ColorJitter(-0.1),
        lambda: views.ColorJitter(hue=0.6),
        lambda: views.ColorJitter(probability=2.0),
        lambda: views.Brightness(float("nan")),
        lambda: views.Grey(-0.1),
        lambda: views.Solarize(0.5, 1.5),
        lambda: views.Blur(4),
        lambda: views.Blur(3, (0.0, 1.0)),
        lambda: views.Noise(-1.0),
        lambda: views.Flat(0.5, 0.2),
        lambda: views.Flat(0.0, 1.2),
        lambda: views.Flat(float("nan")),
        lambda: views.PointNoise(-1.0),
        lambda: views.PointRotation(-1.0),
        lambda: views.Compose(()),
        lambda: views.Compose((views.Flip(), views.PointNoise())),
        lambda: views.MultiCrop(()),
    ],
)
def test_settings_without_sense_are_refused(make):
    with pytest.raises(ConfigurationError):
        make()


@pytest.mark.parametrize(
    ("view", "shape"),
    [
        (views.Grey(), (2, 2, 8, 8)),
        (views.ColorJitter(0.1, 0.1, 0.1, 0.1), (2, 4, 8, 8)),
        (views.Blur(9), (2, 1, 4, 8)),
        (views.QuarterTurn(), (2, 1, 4, 8)),
        (views.PointRotation(), (2, 1)),
    ],
)
def test_shapes_that_a_view_cannot_serve_are_refused(view, shape):
    with pytest.raises(ShapeError, match="shape"):
        view(torch.rand(shape, generator=generator()), generator())


def test_every_public_view_is_judged_here():
    named = [getattr(views, name) for name in views.__all__]
    classes = {c for c in named if isinstance(c, type) and issubclass(c, views.View)}
    concrete = {c for c in classes if not getattr(c, "__abstractmethods__", None)}
    assert concrete == {type(view) for view in ALL.values()}
    assert set(SQUARE_VIEWS) | set(POINT_VIEWS) <= set(ALL)
