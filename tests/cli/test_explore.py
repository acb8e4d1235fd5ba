import webbrowser
from importlib.resources import files

import pytest
from cli_support import ebmlab

PAGE = files("ebmlab.cli") / "explorer.html"


def test_explore_writes_the_page_and_says_where(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", lambda at: pytest.fail("nobody asked for a browser"))
    assert ebmlab(monkeypatch, "explore") == 0
    assert capsys.readouterr().out == "explorer.html\n"
    assert ebmlab(monkeypatch, "explore", "--out", "new/page.html") == 0
    for path in ("explorer.html", "new/page.html"):
        assert (tmp_path / path).read_bytes() == PAGE.read_bytes()


def test_explore_opens_the_page_where_it_is_asked_to(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert ebmlab(monkeypatch, "explore", "--out", tmp_path / "a b.html", "--open") == 0
    assert opened == [(tmp_path / "a b.html").as_uri()]


def test_a_folder_in_the_pages_place_is_one_line(monkeypatch, tmp_path):
    (tmp_path / "taken").mkdir()
    told = ebmlab(monkeypatch, "explore", "--out", tmp_path / "taken")
    assert "taken" in told
    assert "Is a directory" in told
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
