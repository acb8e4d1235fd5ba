import re

import numpy as np
from PIL import Image
from plot_support import bowl, view, walk

from ebmlab import plot


def test_a_gif_has_a_frame_per_draw(tmp_path):
    path = plot.animate(view(bowl), walk(7), tmp_path / "chains.gif", fps=10, tail=3)
    with Image.open(path) as film:
        assert film.n_frames == 7
        assert film.info["duration"] == 100
        film.seek(0)
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(6)
        last = np.asarray(film.convert("RGB")).astype(int)
    changed = np.abs(first - last).max(-1) > 0
    assert 0.0005 < changed.mean() < 0.05


def test_a_film_has_the_colors_of_its_limits(tmp_path):
    frames = {}
    for limits in (None, (0.0, 4.0), (0.0, 0.5)):
        path = plot.animate(view(bowl), walk(1), tmp_path / "chains.gif", limits=limits)
        with Image.open(path) as film:
            frames[limits] = np.asarray(film.convert("L")).astype(float)
    paper = {limits: (frame[40:-60, 60:300] > 245).mean() for limits, frame in frames.items()}
    assert paper[0.0, 4.0] < 0.5 < paper[0.0, 0.5]
    assert np.abs(frames[None] - frames[0.0, 4.0]).max() > 30


def test_an_html_film_needs_nothing_else(tmp_path):
    path = plot.animate(view(bowl), walk(4), str(tmp_path / "chains.html"), tail=0)
    page = path.read_text()
    assert "http" not in page
    assert re.search(r"(src|href)=[\"'](?!data:)", page) is None
    assert page.count('"iVBORw0KGgo') == 4
    assert 'max="3"' in page
