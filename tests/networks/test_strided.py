"""Strided encoders and decoders: shapes, range, and sizes that do not fit."""

import pytest
import torch

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.networks import StridedDecoder, StridedEncoder


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 20)])
def test_codes_come_from_images_and_become_such(shape):
    torch.manual_seed(0)
    images = torch.rand(2, *shape)
    codes = StridedEncoder(shape, 5, width=2)(images)
    made = StridedDecoder(5, shape, width=2)(10 * codes)
    assert codes.shape == (2, 5)
    assert made.shape == images.shape
    assert 0 <= float(made.detach().min()) < float(made.detach().max()) <= 1


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ConfigurationError, match="30 × 28"):
        StridedEncoder((1, 30, 28), 4)
    with pytest.raises(ShapeError, match="expected"):
        StridedEncoder((1, 8, 8), 4)(torch.rand(2, 3, 8, 8))
