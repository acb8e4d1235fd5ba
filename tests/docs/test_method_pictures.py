"""Every method has a picture, what to see in it, and the code that it is of."""

import pytest
from matplotlib.figure import Figure

from ebmlab import methods
from pictures import METHODS


def test_every_method_has_an_exhibit():
    assert list(METHODS) == methods.__all__


@pytest.mark.parametrize("name", METHODS)
def test_captions_say_something_and_code_compiles(name):
    exhibit = METHODS[name]
    assert len(exhibit.caption.split()) >= 10
    assert exhibit.caption.endswith(".")
    compile(exhibit.code, name, "exec")
    assert f"methods.{name}(" in exhibit.code


@pytest.mark.parametrize("name", ["kmeans", "pca", "pseudo_likelihood"])
def test_the_code_shown_runs_by_itself_and_is_drawn(name):
    exec(METHODS[name].code, {"__name__": name})
    figure = METHODS[name].draw()
    assert isinstance(figure, Figure)
    assert figure.axes
