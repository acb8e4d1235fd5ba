"""The papers' views: tuples of the right sizes, each view drawn anew."""

import pytest
import torch
from problems import generator
from views_support import images

from ebmlab.data import views

RECIPES = {
    "simclr": (views.simclr(16), [16, 16]),
    "simclr, small": (views.simclr(16, strength=0.5, blur=0.0), [16, 16]),
    "byol": (views.byol(16), [16, 16]),
    "swav": (views.swav(16, 8, 3), [16, 16, 8, 8, 8]),
    "dino": (views.dino(16, 8, 2), [16, 16, 8, 8]),
    "grey_images": (views.grey_images(16), [16, 16]),
    "grey_images, digits": (views.grey_images(16, flip=False), [16, 16]),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("c", [1, 3])
def test_a_recipe_gives_views_of_the_right_sizes_that_differ(name, c):
    make, sizes = RECIPES[name]
    t = images(4, c, 20, 24).float()
    out = make(t, generator())
    assert [tuple(v.shape) for v in out] == [(4, c, s, s) for s in sizes]
    assert all(v.min() >= 0 and v.max() <= 1 + 1e-6 for v in out)
    assert not torch.equal(out[0], out[1])
    for first, again in zip(out, make(t, generator()), strict=True):
        assert torch.equal(first, again)


def _names(view):
    return [type(part).__name__ for part in view.views]


def test_recipes_are_what_the_papers_say():
    colors = ["Crop", "Flip", "ColorJitter", "Grey"]
    assert _names(views.simclr(224).first) == [*colors, "Blur"]
    assert _names(views.simclr(32, blur=0.0).first) == colors
    assert views.simclr(32, strength=0.5).first.views[2] == views.ColorJitter(
        0.4, 0.4, 0.4, 0.1, 0.8
    )
    byol = views.byol(224)
    assert _names(byol.second) == [*colors, "Blur", "Solarize"]
    assert byol.first.views[-1] == views.Blur(23, probability=1.0)
    assert byol.second.views[-2] == views.Blur(23, probability=0.1)
    dino = views.dino()
    assert dino.large[0].views[0] == views.Crop(224, (0.4, 1.0))
    assert dino.small == (dino.small[0],) * 8
    assert dino.small[0].views[0] == views.Crop(96, (0.05, 0.4))
    assert views.swav().small[0].views[0] == views.Crop(96, (0.05, 0.14))
    assert _names(views.grey_images(28, flip=False).first) == ["Crop", "Brightness", "Noise"]


def test_a_pair_of_two_views_uses_each_for_one():
    t = images(3)
    a, b = views.Pair(views.Flip(1.0), views.Flip(0.0))(t, generator())
    assert torch.equal(a, t.flip(3))
    assert torch.equal(b, t)
