"""A film of images: pixels where they belong, in order, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from ebmlab import plot
from ebmlab.errors import ConfigurationError, ShapeError


def test_frames_hold_the_images_in_rows_and_in_order(tmp_path):
    frames = torch.zeros(2, 3, 1, 4, 4)
    frames[0, 1, 0, 2, 3], frames[1, 2] = 1.0, 0.5
    path = plot.film(frames, tmp_path / "a.gif", columns=2, fps=5, zoom=3)
    with Image.open(path) as film:
        first = np.asarray(film.convert("L")).copy()
        assert film.info["duration"] == 200
        film.seek(1)
        second = np.asarray(film.convert("L")).copy()
    assert first.shape == (2 * 5 * 3, 2 * 5 * 3)
    # The second image begins right of a line; its pixel (2, 3) alone is white, nine dots of it.
    cell = first[3:15, 18:30]
    assert (cell[6:9, 9:12] == 255).all()
    assert (cell > 0).sum() == 9
    assert (np.abs(second[18:30, 3:15].astype(int) - 128) <= 1).all()
    # Where no image is, there is paper.
    assert (first[18:30, 18:30] == 255).all()


def test_films_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"ends in \.gif"):
        plot.film(torch.zeros(1, 1, 1, 2, 2), tmp_path / "a.mp4")
    with pytest.raises(ShapeError, match="frames has shape"):
        plot.film(torch.zeros(1, 2, 2, 2), tmp_path / "a.gif")
    with pytest.raises(ConfigurationError, match="fps"):
        plot.film(torch.zeros(1, 1, 1, 2, 2), tmp_path / "a.gif", fps=0.0)
