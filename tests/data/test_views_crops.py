"""Random resized crops: each box resized as by torch, boxes by the law that is stated."""

import pytest
import torch
from problems import F64, fits, generator
from scipy import stats
from torch.nn import functional
from views_support import images

from ebmlab.data.views import Crop


@pytest.mark.parametrize("size", [5, 12, 31, (4, 26)])
@pytest.mark.parametrize("shape", [(12, 14), (28, 28), (40, 9)])
def test_a_crop_is_its_box_cut_out_and_resized_with_antialiasing(size, shape):
    t = images(6, 2, *shape)
    view = Crop(size, (0.1, 1.0), (0.5, 2.0))
    draws = view.draw(t, generator())
    out = view.apply(t, draws)
    for i, box in enumerate(zip(*(part.long().tolist() for part in draws), strict=True)):
        top, left, high, wide = box
        cut = t[i : i + 1, :, top : top + high, left : left + wide]
        assert cut.shape[2:] == (high, wide)
        expected = functional.interpolate(
            cut, (size, size) if isinstance(size, int) else size, mode="bilinear", antialias=True
        )
        torch.testing.assert_close(out[i : i + 1], expected, rtol=0, atol=1e-12)


def test_pixels_outside_the_box_do_not_count():
    t = images(8)
    view = Crop(6, (0.2, 0.4))
    draws = view.draw(t, generator())
    spoiled = t.clone()
    for i in range(8):
        top, left, high, wide = (int(part[i]) for part in draws)
        inside = torch.zeros(t.shape[2:], dtype=torch.bool)
        inside[top : top + high, left : left + wide] = True
        spoiled[i][:, ~inside] = 1e6
    assert torch.equal(view.apply(spoiled, draws), view.apply(t, draws))


def _boxes(view, n=3000, side=1000):
    return view.draw(torch.zeros(1, 1, 1, 1).expand(n, 1, side, side), generator())


def test_shares_ratios_and_places_follow_their_laws():
    boxes = _boxes(Crop(8, (0.1, 0.4), (0.5, 2.0)))
    share = boxes.height.to(F64) * boxes.width.to(F64) / 1000**2
    ratio = (boxes.width.to(F64) / boxes.height).log2()
    assert fits(share, stats.uniform(0.1, 0.3).cdf)
    assert fits(ratio, stats.uniform(-1, 2).cdf)
    for start, length in ((boxes.top, boxes.height), (boxes.left, boxes.width)):
        assert start.min() >= 0
        assert (start + length).max() <= 1000
        room = (1000 - length).to(F64)
        assert fits((start.to(F64) + 0.5) / (room + 1), stats.uniform(0, 1).cdf)
    wider = _boxes(Crop(8, (0.1, 0.5), (0.5, 2.0)))
    assert not fits(wider.height.to(F64) * wider.width / 1000**2, stats.uniform(0.1, 0.3).cdf)


def test_where_no_box_fits_it_is_the_largest_central_one():
    view = Crop(4, (1.0, 1.0), (1.0, 1.0))
    boxes = view.draw(torch.zeros(3, 1, 4, 100), generator())
    assert [part.tolist() for part in boxes] == [[0.0] * 3, [48.0] * 3, [4.0] * 3, [4.0] * 3]
    tall = Crop(4, (1.0, 1.0), (0.5, 1.0)).draw(torch.zeros(2, 1, 100, 4), generator())
    assert [part.tolist() for part in tall] == [[46.0] * 2, [0.0] * 2, [8.0] * 2, [4.0] * 2]
