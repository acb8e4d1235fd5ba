import math
import re
from xml.etree import ElementTree

import pytest

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.plot.page import key, page, table
from ebmlab.plot.panel import panel

LEFT, RIGHT, TOP, BOTTOM = 52, 368, 30, 194


def drawn(svg):
    """The points of each path, and the texts of the ticks."""
    tree = ElementTree.fromstring(svg)
    paths = [
        [tuple(map(float, pair)) for pair in re.findall(r"[ML]([\d.]+) ([\d.]+)", path.get("d"))]
        for path in tree.iter("path")
    ]
    return paths, [text.text for text in tree.iter("text")]


def test_points_stand_where_their_axes_say():
    svg = panel("value", {0: ("run", ([10, 20, 40], [0.0, 1.0, 2.0]))})
    (path,), texts = drawn(svg)
    wide, high = RIGHT - LEFT, BOTTOM - TOP
    expected = [
        (LEFT + wide * s / 40, BOTTOM - high * v / 2) for s, v in ((10, 0), (20, 1), (40, 2))
    ]
    assert path == [pytest.approx(place, abs=0.06) for place in expected]
    assert texts == ["value", "0", "0.5", "1", "1.5", "2", "0", "10", "20", "30", "40"]


def test_what_spans_decades_is_drawn_by_its_logarithm():
    curves = {0: ("one", ([1, 2], [1e-3, 1e3])), 1: ("other", ([1, 100], [1.0, 1.0]))}
    (first, other), texts = drawn(panel("value", curves))
    assert [y for _, y in first] == pytest.approx([BOTTOM, TOP], abs=0.06)
    assert [y for _, y in other] == pytest.approx([(BOTTOM + TOP) / 2] * 2, abs=0.06)
    third = (RIGHT - LEFT) * math.log(2) / math.log(100)
    assert [x for x, _ in first] == pytest.approx([LEFT, LEFT + third], abs=0.06)
    assert {"0.001", "1,000", "10", "100"} <= set(texts)
    assert "(log)" in panel("value", curves)


def test_a_number_that_is_not_finite_is_a_gap_and_one_between_gaps_a_dot():
    svg = panel("value", {0: ("run", (range(1, 6), [1.0, None, 2.0, math.nan, 3.0]))})
    assert svg.count("M") == svg.count("h0") == 3
    assert "L" not in re.search('d="([^"]*)"', svg)[1]


def test_many_points_are_thinned_and_their_extremes_stay():
    steps = range(1, 5001)
    values = [math.sin(step / 700) for step in steps]
    values[1234], values[3456], values[4000] = 5.0, -5.0, None
    (path,), _ = drawn(panel("value", {0: ("run", (steps, values))}))
    heights = [y for _, y in path]
    assert len(path) <= 400
    assert (min(heights), max(heights)) == (TOP, BOTTOM)
    assert panel("value", {0: ("run", (steps, values))}).count("M") == 2
    assert [x for x, _ in path] == sorted(x for x, _ in path)


@pytest.mark.parametrize("values", [[2.5], [2.5, 2.5], [0.0], [-1e-9, 1e9], [1e-300, 2e-300]])
def test_every_range_has_axes(values):
    (path,), texts = drawn(panel("value", {3: ("run", (range(1, len(values) + 1), values))}))
    assert all(TOP - 1 <= y <= BOTTOM + 1 for _, y in path)
    assert len(texts) >= 5


def test_names_are_text_and_never_markup():
    name = '<script>alert("x")</script>&'
    svg = panel(name, {0: (name, ([1], [1.0]))})
    whole = page(name, name, [key(0, name, name), table([[name], [name]]), svg], 1)
    assert "<script" not in whole
    assert whole.count("&lt;script&gt;") == 10


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ConfigurationError, match="no finite"):
        panel("value", {0: ("run", ([1], [None]))})
    with pytest.raises(ShapeError, match="run has 1 numbers for 2 steps"):
        panel("value", {0: ("run", ([1, 2], [1.0]))})
