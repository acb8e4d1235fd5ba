import numpy as np
import pytest
import torch
from plot_support import drawn

from ebmlab import metrics, plot
from ebmlab.errors import ConfigurationError


def test_reliability_shows_every_bin_that_holds_data_and_the_diagonal():
    p = torch.tensor([[0.95, 0.05], [0.9, 0.1], [0.55, 0.45]])
    found = metrics.reliability(p, torch.tensor([0, 1, 0]), bins=4)
    ax = drawn(plot.reliability({"one": found, "other": found}, title="both"))
    diagonal, first, second = ax.lines
    np.testing.assert_allclose(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_allclose(first.get_xdata(), [0.55, 0.925], atol=1e-6)
    np.testing.assert_allclose(first.get_ydata(), [1.0, 0.5])
    assert first.get_color() != second.get_color()
    areas = ax.collections[0].get_sizes()
    assert areas[1] > 1.5 * areas[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other"]
    with pytest.raises(ConfigurationError, match="empty"):
        plot.reliability({})
