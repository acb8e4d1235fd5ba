import numpy as np
import pytest
import torch
from plot_support import drawn
from problems import generator

from ebmlab import plot
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.metrics import effective_rank


def test_each_class_has_a_color_or_mark_of_its_own_and_its_name_at_its_median():
    labels = torch.arange(10).repeat_interleave(9)
    places = torch.randn(90, 2, generator=generator(0), requires_grad=True)
    ax = drawn(plot.codes(places, labels, title="ten"))
    kinds = [
        (tuple(group.get_facecolor()[0]), len(group.get_paths()[0].vertices))
        for group in ax.collections
    ]
    assert len(set(kinds)) == 10
    assert [text.get_text() for text in ax.texts] == [str(k) for k in range(10)]
    for k, text in enumerate(ax.texts):
        own = places[labels == k].detach().numpy()
        np.testing.assert_allclose(text.xy, np.median(own, axis=0))
        np.testing.assert_allclose(ax.collections[k].get_offsets(), own, rtol=1e-6)


def test_names_do_not_lie_on_each_other():
    labels = torch.arange(4).repeat_interleave(3)
    places = torch.tensor([[0.0, 0], [0, 0], [0, 0], [8, 4]]).repeat_interleave(3, 0)
    texts = drawn(plot.codes(places, labels)).texts
    np.testing.assert_allclose(texts[3].get_position(), [8, 4], rtol=1e-4)
    shares = np.array([text.get_position() for text in texts]) / [8, 4]
    away = np.linalg.norm(shares[:, None] - shares[None], axis=-1)[~np.eye(4, dtype=bool)]
    assert away.min() > 0.045
    assert np.abs(shares[:3]).max() < 0.06


def test_classes_have_their_names_and_codes_without_labels_one_color():
    places, labels = torch.eye(2).repeat(3, 1), torch.tensor([2, 0]).repeat(3)
    ax = drawn(plot.codes(places, labels, classes=("cat", "cow", "dog")))
    assert [text.get_text() for text in ax.texts] == ["cat", "dog"]
    with pytest.raises(ConfigurationError, match="label 2"):
        plot.codes(places, labels, classes=("cat", "cow"))
    plain = drawn(plot.codes(places, None))
    assert (len(plain.collections), len(plain.texts)) == (1, 0)
    np.testing.assert_allclose(plain.collections[0].get_offsets(), places)


def test_codes_that_do_not_fit_their_labels_are_refused():
    with pytest.raises(ShapeError, match="labels"):
        plot.codes(torch.zeros(4, 2), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ShapeError, match="places"):
        plot.codes(torch.zeros(4, 3), torch.zeros(4, dtype=torch.long))


def test_a_spectrum_shows_the_shares_of_the_covariance():
    codes = torch.randn(200, 6, generator=generator(1)) * torch.tensor([4.0, 3, 2, 1, 0.5, 0])
    ax = drawn(plot.spectrum({"codes": codes + 7}))
    values = torch.linalg.eigvalsh(codes.double().mT.cov()).flip(0)[:5]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), values / values.sum(), rtol=1e-4)
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [1, 2, 3, 4, 5])
    assert ax.get_yscale() == "log"
    root = np.sqrt(ax.lines[0].get_ydata())
    p = root / root.sum()
    assert np.exp(-(p * np.log(p)).sum()) == pytest.approx(effective_rank(codes + 7), rel=1e-3)


def test_collapsed_codes_have_no_spectrum_and_several_populations_a_legend():
    ax = drawn(plot.spectrum({"dead": torch.ones(5, 3), "alive": torch.eye(5, 3)}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dead", "alive"]
    assert ax.lines[0].get_ydata().tolist() == [0.0]
    with pytest.raises(ConfigurationError, match="populations is empty"):
        plot.spectrum({})
    with pytest.raises(ShapeError, match="dead"):
        plot.spectrum({"dead": torch.ones(1, 3)})


def test_a_history_has_a_panel_for_each_number():
    columns = {name: [1.0 + k, float("nan"), 3.0] for k, name in enumerate("abcd")}
    figure = plot.history(columns, [10, 20, 30], title="run")
    drawn(figure.axes[0])
    assert [ax.get_title() for ax in figure.axes] == list("abcd")
    assert figure.get_suptitle() == "run"
    np.testing.assert_allclose(figure.axes[3].lines[0].get_ydata(), columns["d"])
    np.testing.assert_allclose(figure.axes[3].lines[0].get_xdata(), [10, 20, 30])
    assert [bool(ax.get_xlabel()) for ax in figure.axes] == [False, False, True, True]


def test_a_history_of_one_step_shows_its_points():
    figure = plot.history({name: [1.0] for name in "abcde"}, [5])
    assert [ax.lines[0].get_marker() for ax in figure.axes] == ["o"] * 5
    assert [bool(ax.get_xlabel()) for ax in figure.axes] == [False, False, True, True, True]


def test_a_history_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="a has 1 numbers for 2 steps"):
        plot.history({"a": [1.0]}, [1, 2])
    with pytest.raises(ConfigurationError, match="columns is empty"):
        plot.history({}, [])
