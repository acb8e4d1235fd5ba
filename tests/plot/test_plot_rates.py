import numpy as np
import pytest
import torch
from plot_support import drawn

from ebmlab import plot
from ebmlab.errors import ConfigurationError
from ebmlab.metrics import RateDistortion


def test_distortion_is_drawn_over_the_rate_with_a_mark_at_each_temperature():
    curve = RateDistortion(*torch.tensor([[0.1, 1.0, 9.0], [0.6, 0.1, 0.0], [0.0, 0.4, 0.5]]))
    other = RateDistortion(curve.temperature, curve.rate, curve.distortion + 1)
    ax = drawn(plot.rate_distortion({"one": curve, "other": other}, title="bits"))
    first, second = ax.lines
    np.testing.assert_allclose(first.get_xdata(), [0.6, 0.1, 0.0])
    np.testing.assert_allclose(first.get_ydata(), [0.0, 0.4, 0.5])
    assert first.get_marker() == "."
    assert first.get_color() != second.get_color()
    with pytest.raises(ConfigurationError, match="empty"):
        plot.rate_distortion({})
