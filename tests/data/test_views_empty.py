"""Flat images and noise: nothing of the image is left, and gray levels are uniform."""

import torch
from problems import fits, generator
from scipy import stats
from views_support import images

from ebmlab.data.views import Flat, Static


def test_flat_images_have_one_level_each_from_the_range():
    t = images(3000, c=2, h=3, w=2).float()
    flat = Flat(0.2, 0.6)(t, generator(1))
    assert flat.shape == t.shape
    assert torch.equal(flat.amin((1, 2, 3)), flat.amax((1, 2, 3)))
    levels = flat[:, 0, 0, 0]
    assert fits(levels, stats.uniform(0.2, 0.4).cdf)
    assert not fits(levels, stats.uniform(0.2, 0.5).cdf)


def test_noise_is_uniform_and_knows_nothing_of_the_image():
    t = images(500, c=1, h=4, w=3).float()
    noise = Static()(t, generator(2))
    assert fits(noise.flatten(), stats.uniform().cdf)
    assert not fits(1.05 * noise.flatten(), stats.uniform().cdf)
    assert torch.equal(noise, Static()(1 - t, generator(2)))
    # Pixels of one image are apart: the mean of 12 has a twelfth of the variance.
    assert abs(float(noise.mean((1, 2, 3)).var()) * 12 * 12 - 1) < 0.4
