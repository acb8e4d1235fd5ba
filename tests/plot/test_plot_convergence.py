"""Energies of populations, and training seen by its chains rather than by its loss."""

import numpy as np
import pytest
import torch
from plot_support import drawn
from problems import generator

from ebmlab import plot
from ebmlab.energies import Gaussian
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.losses import difference
from ebmlab.negatives import Replay
from ebmlab.objectives import Contrastive
from ebmlab.plot.style import PALETTE
from ebmlab.samplers import MALA


def stairs(ax):
    """The outlines: (heights, edges) of each population."""
    return [patch.get_data()[:2] for patch in ax.patches[1::2]]


def test_histograms_have_area_one_with_what_lies_beyond():
    data = torch.randn(1000, generator=generator()).requires_grad_()
    far = torch.cat([torch.linspace(0, 2, 600), torch.full((200,), 1e5), torch.full((200,), 1e30)])
    ax = drawn(plot.energies({"data": data, "noise": far}, bins=50, title="both"))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["data", "noise (40% beyond)"]
    for (heights, edges), share in zip(stairs(ax), (1.0, 0.6), strict=True):
        assert len(heights) == 50
        assert (heights * np.diff(edges)).sum() == pytest.approx(share, abs=0.01)
    heights, edges = stairs(ax)[0]
    due, _ = np.histogram(data.detach(), edges)
    np.testing.assert_allclose(heights * np.diff(edges) * 1000, due, atol=1e-6)
    assert [p.get_edgecolor()[:3] for p in ax.patches[1::2]] != [(0, 0, 0)] * 2
    assert len({p.get_linestyle() for p in ax.patches[1::2]}) == 2
    assert edges[0] < float(data.detach().quantile(0.01))
    assert edges[-1] < 60


def test_the_window_is_that_of_the_first_population():
    one, two = torch.linspace(0, 1, 101), torch.linspace(0, 100, 101)
    narrow = stairs(plot.energies({"data": one, "noise": two}))[0][1]
    wide = stairs(plot.energies({"data": two, "noise": one}))[0][1]
    assert narrow[-1] < 10 < 90 < wide[-1]
    infinite = torch.tensor([0.0, 1.0, torch.inf, torch.inf])
    ax = plot.energies({"all": torch.full((9,), 3.0), "few": infinite})
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["all", "few (50% beyond)"]


def test_energies_that_cannot_be_shown_are_refused():
    one = torch.ones(3)
    with pytest.raises(ConfigurationError, match="empty"):
        plot.energies({})
    with pytest.raises(ConfigurationError, match="bins"):
        plot.energies({"data": one}, bins=0)
    for wrong in (torch.ones(3, 2), torch.ones(0)):
        with pytest.raises(ShapeError, match="energies of noise"):
            plot.energies({"data": one, "noise": wrong})
    for bad in (torch.nan, -torch.inf):
        with pytest.raises(NonFiniteError, match="noise hold NaN or -inf"):
            plot.energies({"data": one, "noise": bad * one})
    with pytest.raises(NonFiniteError, match="all energies"):
        plot.energies({"data": torch.inf * one})


def test_training_is_shown_by_energies_gap_and_health_without_its_loss():
    chains = Replay(torch.zeros(64, 2), MALA(0.1), 2)
    y = torch.randn(32, 2, generator=generator())
    energy = Gaussian(torch.zeros(2), torch.eye(2))
    loss = Contrastive(difference, chains)(energy, None, y, generator())
    numbers = {"value": loss.value, **loss.metrics}
    history = {name: [float(value) + k for k in range(4)] for name, value in numbers.items()}
    figure = plot.convergence(history, [2, 4, 6, 8], title="eight steps")
    figure.draw_without_rendering()
    names = [ax.get_ylabel() for ax in figure.axes]
    assert names == ["energy", "chains - data", "share of chains", "moved", "age"]
    energies, gap, shares, moved, _ = figure.axes
    assert [line.get_label() for line in energies.lines] == ["data", "chains"]
    for line, name in zip((*energies.lines, gap.lines[0]), ("e_pos", "e_neg", "gap"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), history[name])
        np.testing.assert_allclose(line.get_xdata(), [2, 4, 6, 8])
    assert gap.lines[1].get_ydata() == [0, 0]
    labels = [line.get_label() for line in shares.lines]
    assert labels == ["acceptance", "continued", "still", "strayed", "coalesced"]
    assert [line.get_color() for line in shares.lines] == list(PALETTE[:5])
    np.testing.assert_allclose(moved.lines[0].get_ydata(), history["moved"])
    shown = [list(line.get_ydata()) for ax in figure.axes for line in ax.lines]
    assert history["value"] not in shown  # the loss, which is minus the gap


def test_a_spike_does_not_flatten_the_rest_and_gaps_stay():
    steps = np.arange(100)
    calm = np.sin(steps)
    spiked = np.where(steps == 3, 1e6, calm)
    top = plot.convergence({"gap": spiked}, steps).axes[0].get_ylim()[1]
    assert 1 < top < 10
    assert plot.convergence({"gap": 3 * calm}, steps).axes[0].get_ylim()[1] > 2.9
    for column in ([np.nan] * 3, [1.0, np.nan, np.inf], [1.0] * 3):
        plot.convergence({"moved": column}, [1, 2, 3]).draw_without_rendering()


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match=r"gap has shape \(1,\) for 2 steps"):
        plot.convergence({"gap": [1.0]}, [1, 2])
    with pytest.raises(ConfigurationError, match=r"columns are loss; expected some of e_pos"):
        plot.convergence({"loss": [1.0]}, [1])
