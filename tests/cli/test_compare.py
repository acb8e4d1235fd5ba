import json
import re

import pytest
from cli_support import TINY, ebmlab

from ebmlab.errors import ConfigurationError, FileError
from ebmlab.runs.compare import compare


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on images, one of them judged, and one on points."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        for name, method, more in (
            ("one", "pca", ()),
            ("two <b>", "kmeans", ("--seed", "3")),
            ("points", "denoising_score", ()),
        ):
            command = ("train", method, *TINY, *more, "--out", folder / name)
            assert ebmlab(patch, *command) == 0
        assert ebmlab(patch, "evaluate", folder / "one", "--limit", "64") == 0
    return [folder / name for name in ("one", "two <b>", "points")]


def cells(page):
    return re.findall("<t[dh]>([^<]*)</t[dh]>", page)


def test_one_page_holds_curves_differences_and_numbers(runs, tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "page.html"
    assert ebmlab(monkeypatch, "compare", *runs, "--out", out) == 0
    assert capsys.readouterr().out == f"{out}\n"
    page = out.read_text("utf-8")
    assert len(re.findall(r'class="curve run-\d"><title>[^<]*: ', page.split("</svg>")[3])) == 3
    assert {"method", "seed", "3"} <= set(cells(page))
    assert "batch_size 32" in page
    assert "Not evaluated: two &lt;b&gt;, points;" in page
    found = json.loads((runs[0] / "evaluation.json").read_text())["numbers"]
    shown = dict(zip(cells(page), cells(page)[1:], strict=False))
    for name, value in found.items():
        assert float(shown[name.replace("'", "&#x27;")].replace(",", "")) == pytest.approx(
            value, rel=1e-3
        )


def test_the_page_loads_nothing(runs, tmp_path):
    page = compare(runs, tmp_path / "page.html").page.read_text("utf-8")
    assert not re.search(r"(?:src|href)=|url\(|@import|https?:|<script", page)
    assert page.count("<b>") == 0


def test_what_is_damaged_is_named_and_the_rest_is_shown(runs, tmp_path, monkeypatch, capsys):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    out = tmp_path / "page.html"
    command = ("compare", runs[0], runs[0], broken, tmp_path / "none", "--out", out)
    assert ebmlab(monkeypatch, *command) == 0
    told = capsys.readouterr().err
    assert str(broken) in told
    assert str(tmp_path / "none") in told
    page = out.read_text("utf-8")
    assert "<h1>One run</h1>" in page
    assert str(broken) in page


def test_runs_of_one_name_are_told_apart_by_their_folders(runs, tmp_path):
    same = tmp_path / "two" / "one"
    same.parent.mkdir()
    same.mkdir()
    for file in runs[0].iterdir():
        (same / file.name).write_bytes(file.read_bytes())
    page = compare([runs[0], same], tmp_path / "page.html").page.read_text("utf-8")
    assert f"{runs[0]} <small>" in page
    assert f"{same} <small>" in page


def test_nothing_to_compare_is_told(tmp_path):
    with pytest.raises(FileError, match="holds no run"):
        compare([tmp_path], tmp_path / "page.html")
    with pytest.raises(ConfigurationError, match=r"\.html"):
        compare([tmp_path], tmp_path / "page.htm")
