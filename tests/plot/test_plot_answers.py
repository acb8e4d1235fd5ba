import pytest
import torch
from plot_support import drawn

from ebmlab import plot
from ebmlab.errors import ConfigurationError, ShapeError

P = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]])


def test_answers_stand_by_probability_with_their_set_framed_and_the_right_one_marked():
    sets = torch.tensor([[True, True, True], [False, True, False]])
    right = torch.tensor([1, 2])
    how = {"sets": sets, "right": right, "sides": ["x", "y"], "shown": 2}
    ax = drawn(plot.answers(P, ["a", "b", "c"], title="two", **how))
    written = [text.get_text() for text in ax.texts]
    assert written == ["b", "60 %", "c", "30 %", "+ 1", "a", "50 %", "b", "25 %"]
    framed = [bool(box.get_edgecolor()[3]) for box in ax.patches]
    assert framed == [True, True, False, True]
    shades = [box.get_facecolor()[3] for box in ax.patches]
    assert shades == sorted(shades[:2], reverse=True) + sorted(shades[2:], reverse=True)
    assert len(ax.lines) == 1
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["x", "y"]


def test_answers_that_do_not_fit_are_refused():
    for wrong in ({"sets": P[:1] > 0}, {"right": torch.zeros(3)}, {"sides": ["one"]}):
        with pytest.raises(ShapeError, match=next(iter(wrong))):
            plot.answers(P, "abc", **wrong)
    with pytest.raises(ShapeError, match="names are 2"):
        plot.answers(P, "ab")
    with pytest.raises(ConfigurationError, match="shown is 0"):
        plot.answers(P, "abc", shown=0)
