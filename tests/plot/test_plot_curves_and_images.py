import numpy as np
import pytest
import torch
from plot_support import drawn, lightness

from ebmlab import plot
from ebmlab.errors import ShapeError
from ebmlab.plot.style import PALETTE


def test_free_energies_are_colored_by_temperature_and_zero_is_apart():
    y = torch.linspace(-1, 1, 20)
    temperatures = torch.tensor([1.0, 0.0, 10.0, 0.1])
    values = temperatures[:, None] + y.square()
    ax = drawn(plot.free_energy(y, values.requires_grad_(), temperatures))
    assert len(ax.figure.axes) == 2
    assert ax.figure.axes[1].get_yscale() == "log"
    assert ax.figure.axes[1].get_ylabel() == "temperature $T$"
    *warm, cold = ax.lines
    assert cold.get_label() == "$T = 0$"
    assert cold.get_color() == "black"
    np.testing.assert_allclose([line.get_ydata().min() for line in warm], [10, 1, 0.1], rtol=0.1)
    light = [lightness(np.array([line.get_color()[:3]]))[0, 0] for line in warm]
    assert light == sorted(light, reverse=True)
    assert len(drawn(plot.free_energy(y, y[None], [0.0])).figure.axes) == 1
    assert drawn(plot.free_energy(y, y[None], [2.0])).get_legend() is None


def test_curves_are_told_apart_without_color():
    names = {str(k): torch.arange(4.0) + k for k in range(4)}
    ax = drawn(plot.curves(names, [0, 10, 20, 30], xlabel="step", ylabel="nats", logy=True))
    assert [line.get_label() for line in ax.lines] == list(names)
    assert [line.get_color() for line in ax.lines] == list(PALETTE[:4])
    assert len({str(line._unscaled_dash_pattern) for line in ax.lines}) == 4
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [0, 10, 20, 30])


def test_images_are_laid_out_in_rows_pixel_by_pixel():
    batch = torch.rand(5, 3, 4, 6, requires_grad=True) * 2
    ax = drawn(plot.images(batch, columns=2, title="five"))
    sheet = ax.images[0].get_array()
    assert sheet.shape == (3 * 5 + 1, 2 * 7 + 1, 3)
    due = batch[3].detach().permute(1, 2, 0).clamp(0, 1)
    np.testing.assert_allclose(sheet[6:10, 8:14], due, rtol=1e-6)
    assert (sheet[11:15, 8:14] == 1).all()
    gray = plot.images(torch.full((1, 1, 4, 4), 0.5)).images[0].get_array()
    assert (gray[1:5, 1:5] == 0.5).all()


def test_columns_and_rows_of_images_have_their_names_in_their_middle():
    names = {"headings": ("a", "b", "c"), "sides": ("seen", "made"), "title": "six"}
    ax = drawn(plot.images(torch.rand(6, 1, 4, 6), columns=3, **names))
    assert ax.title.get_window_extent().y0 > ax.texts[1].get_window_extent().y1
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c", "seen", "made"]
    assert [text.get_position()[0] for text in ax.texts[:3]] == [3.5, 10.5, 17.5]
    assert [text.get_position()[1] for text in ax.texts[3:]] == [2.5, 7.5]
    for name, wrong in {"headings": ("a", "b"), "sides": ("seen",)}.items():
        with pytest.raises(ShapeError, match=name):
            plot.images(torch.rand(6, 1, 4, 6), columns=3, **{name: wrong})


def test_captions_stand_below_their_images():
    ax = drawn(plot.images(torch.zeros(5, 1, 10, 10), 3, captions=["a", "b", "c", "d", "e"]))
    sheet = ax.images[0].get_array()
    assert sheet.shape == (2 * 13 + 1, 3 * 11 + 1, 3)
    for text, (row, column) in zip(
        ax.texts, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)], strict=True
    ):
        x, y = text.get_position()
        assert (x, y) == (11 * column + 1 + 4.5, 13 * row + 12)
        assert sheet[int(y), int(x)].tolist() == [1, 1, 1]
    with pytest.raises(ShapeError, match="captions are 2 for 5 images"):
        plot.images(torch.zeros(5, 1, 10, 10), 3, captions=["a", "b"])
