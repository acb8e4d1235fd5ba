import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from problems import generator

from ebmlab import plot
from ebmlab.errors import ConfigurationError, NonFiniteError, ShapeError
from ebmlab.plot.style import PALETTE


def draws(kept=200, chains=3, *event):
    return torch.randn(kept, chains, *event, generator=generator())


def drawn(figure):
    figure.draw_without_rendering()
    return figure


def test_traces_show_every_chain_and_its_density():
    samples = draws(200, 3, 2)
    figure = drawn(plot.trace(samples, ["here", "there"]))
    left, right, low, _ = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ["here", "", "there", ""]
    assert (low.get_xlabel(), right.get_title()) == ("draw", "density")
    for chain in range(3):
        np.testing.assert_allclose(left.lines[chain].get_ydata(), samples[:, chain, 0])
        assert left.lines[chain].get_color() == PALETTE[chain] == right.lines[chain].get_color()
    assert left.get_ylim() == right.get_ylim()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["chain 0", "chain 1", "chain 2"]


def test_densities_integrate_to_one_and_follow_their_draws():
    for scale in (1e-3, 1.0, 1e4):
        right = plot.trace(scale * (draws(2000, 1) + 5)).axes[1]
        height, place = (np.asarray(t) for t in right.lines[0].get_data())
        assert np.trapezoid(height, place) == pytest.approx(1, abs=0.01)
        assert np.trapezoid(height * place, place) == pytest.approx(5 * scale, rel=0.02)
        due = np.exp(-0.5 * (place / scale - 5) ** 2) / (2 * np.pi) ** 0.5
        assert abs(height * scale - due).max() < 0.05


def test_long_and_many_chains_are_thinned():
    samples = draws(3000, 64)
    figure = plot.trace(samples)
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines] == [f"chain {k}" for k in (0, 13, 25, 38, 50, 63)]
    np.testing.assert_allclose(lines[1].get_ydata(), samples[::3, 13])
    np.testing.assert_allclose(lines[1].get_xdata(), np.arange(0, 3000, 3))
    assert len(plot.ranks(samples).axes) == 6


def test_rank_histograms_count_the_ranks_of_each_chain():
    samples = draws(400, 3, 2)
    samples[:, 2, 0] += 1
    figure = drawn(plot.ranks(samples, ["here", "there"], bins=10))
    assert [ax.get_title() for ax in figure.axes[:3]] == ["chain 0", "chain 1", "chain 2"]
    rank = samples[..., 0].flatten().argsort().argsort().reshape(400, 3)
    for chain, ax in enumerate(figure.axes[:3]):
        counts = torch.bincount(rank[:, chain] // 120, minlength=10)
        np.testing.assert_allclose(ax.patches[0].get_data().values, counts)
        assert ax.lines[0].get_ydata() == [40, 40]
    heights = [ax.patches[0].get_data().values for ax in figure.axes]
    low, high = (
        figure.axes[5]
        .patches[1]
        .get_extents()
        .transformed(figure.axes[5].transData.inverted())
        .intervaly
    )
    assert 20 < low < 40 < high < 60
    assert not ((heights[2] >= low) & (heights[2] <= high)).all()
    assert np.mean([(h >= low) & (h <= high) for h in heights[3:]]) > 0.9


def test_pairs_count_the_draws_of_the_plane():
    samples = draws(500, 4, 3)
    figure = drawn(plot.pairs(samples, ["a", "b", "c"]))
    assert len(figure.axes) == 6
    assert not figure.legends
    labels = {(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes}
    assert labels == {("", ""), ("", "b"), ("a", "c"), ("b", ""), ("c", "")}
    corner = next(ax for ax in figure.axes if (ax.get_xlabel(), ax.get_ylabel()) == ("a", "c"))
    counts = corner.collections[0].get_array().filled(0) ** 2
    assert counts.sum() == pytest.approx(2000)
    across = np.linspace(*corner.get_xlim(), counts.shape[1] + 1)
    due, _ = np.histogram(samples[..., 0].flatten().double(), across)
    np.testing.assert_allclose(counts.sum(0), due, rtol=1e-6)


def test_divergent_draws_are_marked():
    samples = draws(500, 4, 2)
    divergent = samples[..., 1] < -2
    figure = drawn(plot.pairs(samples, divergent=divergent))
    plane = figure.axes[[len(ax.collections) for ax in figure.axes].index(1)]
    marks = np.stack(plane.lines[0].get_data(), 1)
    np.testing.assert_allclose(marks, samples[divergent], rtol=1e-6)
    assert figure.legends[0].get_texts()[0].get_text() == "divergent"
    everything = plot.pairs(samples, divergent=torch.ones(500, 4))
    assert len(everything.axes[0].lines[0].get_xdata()) == 500
    assert not drawn(plot.pairs(samples, divergent=torch.zeros(500, 4))).legends


def test_constant_few_and_single_draws_can_be_drawn():
    for samples in (torch.ones(10, 2), draws(4, 1), draws(50, 2).long()):
        for picture in (plot.trace, plot.ranks, plot.pairs):
            assert drawn(picture(samples)).axes[0].get_ylabel() in {"y", ""}


def test_text_is_legible_and_pyplot_is_left_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    before = mpl.rcParams.copy()
    for picture in (plot.trace, plot.ranks, plot.pairs):
        figure = drawn(picture(draws(50, 2, 2)))
        for ax in figure.axes:
            texts = [ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
            assert min(text.get_fontsize() for text in texts) >= 8
    assert "matplotlib.pyplot" not in sys.modules
    assert mpl.rcParams.copy() == before


def test_faults_are_typed():
    bad = draws(10, 2, 2)
    bad[0, 0, 0] = torch.nan
    for picture, most in ((plot.trace, 10), (plot.ranks, 10), (plot.pairs, 8)):
        with pytest.raises(ShapeError, match=f"12 coordinates, but at most {most}"):
            picture(draws(10, 2, 3, 4))
        with pytest.raises(ShapeError, match="names holds 1"):
            picture(draws(10, 2, 2), ["one"])
        with pytest.raises(ShapeError, match="at least 4"):
            picture(draws(3, 2, 2))
        with pytest.raises(NonFiniteError):
            picture(bad)
    with pytest.raises(ShapeError, match="divergent has shape"):
        plot.pairs(draws(10, 2, 2), divergent=torch.zeros(10))
    with pytest.raises(ConfigurationError, match="bins"):
        plot.ranks(draws(10, 2), bins=0)
