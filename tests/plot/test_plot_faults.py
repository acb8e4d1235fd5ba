import pytest
import torch
from matplotlib.figure import Figure
from plot_support import BOWL, walk

from ebmlab import plot
from ebmlab.errors import ConfigurationError, ShapeError


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (ShapeError, lambda: plot.contour(BOWL, data=torch.zeros(4, 3))),
        (ShapeError, lambda: plot.contour(BOWL, samples=torch.zeros(0, 2))),
        (ShapeError, lambda: plot.contour(BOWL, trajectories=torch.zeros(4, 2))),
        (ConfigurationError, lambda: plot.contour(BOWL, limits=(1.0, 1.0))),
        (ConfigurationError, lambda: plot.contour(BOWL, limits=(0.0, torch.inf))),
        (ConfigurationError, lambda: plot.surface(BOWL, Figure().add_subplot())),
        (ConfigurationError, lambda: plot.landscapes([], [])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one", "two"])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one"], samples=[])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one"], trajectories=[])),
        (ConfigurationError, lambda: plot.landscapes([BOWL], ["one"], columns=0)),
        (ShapeError, lambda: plot.trajectories(torch.zeros(4, 3))),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.mp4")),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.gif", fps=0)),
        (ConfigurationError, lambda: plot.animate(BOWL, walk(), "chains.gif", tail=-1)),
        (ShapeError, lambda: plot.animate(BOWL, torch.zeros(4, 2), "chains.gif")),
        (ShapeError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(2, 4), [0.0, 1.0])),
        (ConfigurationError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(1, 3), [-1.0])),
        (ConfigurationError, lambda: plot.free_energy(torch.zeros(3), torch.zeros(0, 3), [])),
        (ConfigurationError, lambda: plot.curves({})),
        (ShapeError, lambda: plot.curves({"one": [1.0, 2.0]}, [1.0])),
        (ShapeError, lambda: plot.curves({"one": torch.zeros(2, 2)})),
        (ShapeError, lambda: plot.images(torch.zeros(4, 8, 8))),
        (ShapeError, lambda: plot.images(torch.zeros(4, 2, 8, 8))),
        (ShapeError, lambda: plot.images(torch.zeros(0, 1, 8, 8))),
        (ConfigurationError, lambda: plot.images(torch.zeros(4, 1, 8, 8), columns=0)),
    ],
)
def test_faults_are_typed(error, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        make()
    assert not list(tmp_path.iterdir())
