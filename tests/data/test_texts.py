import sys
from pathlib import Path

import pytest
import torch
from problems import generator

from ebmlab import data
from ebmlab.data import BytePairs, Characters, Text, text
from ebmlab.errors import ConfigurationError, DataError, DtypeError, ShapeError

VERSE = "the quality of mercy is not strain'd\nit droppeth as the gentle rain ☂ from heaven\n" * 30
WORDS = text(VERSE)


def test_characters_are_numbered_in_order_and_read_back():
    assert WORDS.vocabulary == Characters("".join(sorted(set(VERSE))))
    assert WORDS.decode(WORDS.tokens) == VERSE
    due = torch.tensor([sorted(set(VERSE)).index(letter) for letter in VERSE])
    assert torch.equal(WORDS.tokens, due)
    assert torch.equal(WORDS.counts, torch.tensor([VERSE.count(c) for c in sorted(set(VERSE))]))
    assert WORDS.decode(torch.tensor([WORDS.hidden])) == "▢"
    assert text("merci", vocabulary=WORDS.vocabulary).vocabulary is WORDS.vocabulary


def test_the_last_share_is_held_out_in_the_same_vocabulary():
    first, last = WORDS.split(0.25)
    assert torch.equal(torch.cat([first.tokens, last.tokens]), WORDS.tokens)
    assert len(last) == len(WORDS) - int(0.75 * len(WORDS))
    assert first.vocabulary is last.vocabulary is WORDS.vocabulary


def places(rows):
    """Where in the text each row stands, which may be more than one place."""
    windows = WORDS.windows(rows.shape[1])
    return (windows[None] == rows[:, None]).all(2)


def test_windows_are_all_stretches_and_draws_are_some_of_them():
    windows = WORDS.windows(5)
    assert [WORDS.decode(row) for row in windows[:3]] == [VERSE[i : i + 5] for i in range(3)]
    assert len(windows) == len(VERSE) - 4
    assert bool(places(WORDS.draw(50, 7, generator())).any(1).all())


def test_hidden_tokens_are_a_share_and_at_least_one_a_window():
    x, y = WORDS.masked(4000, 20, generator(), share=0.15)
    hides = x == WORDS.hidden
    assert torch.equal(x[~hides], y[~hides])
    assert hides.any(1).all()
    # Of 20 sites, 0.15 · 20 and one where none was hidden: 3 + 0.85 ** 20. Five standard errors.
    off = float(hides.sum(1).double().mean()) - (3 + 0.85**20)
    assert abs(off) < 5 * (20 * 0.15 * 0.85 / 4000) ** 0.5
    one, _ = WORDS.masked(100, 6, generator(), share=0.0)
    assert torch.equal((one == WORDS.hidden).sum(1), torch.ones(100, dtype=torch.long))


def test_what_follows_is_the_window_one_place_on():
    x, y = WORDS.following(30, 8, generator())
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert bool(places(torch.cat([x, y[:, -1:]], 1)).any(1).all())


def test_a_gap_is_the_middle_of_its_window():
    x, y = WORDS.gaps(30, 3, generator())
    assert torch.equal(x[:, 3], torch.full((30,), WORDS.hidden))
    x[:, 3] = y
    assert bool(places(x).any(1).all())


def test_neighbors_are_all_places_within_reach_but_the_token_itself():
    counting = Text(torch.arange(1000), Characters("".join(map(chr, range(1000, 2000)))))
    x, y = counting.neighbors(30_000, 2, generator())
    steps = (y - x).unique(return_counts=True)
    assert steps[0].tolist() == [-2, -1, 1, 2]
    # Each of four has 7,500 of 30,000, within five standard errors.
    assert float((steps[1] - 7500).abs().max()) < 5 * (30_000 * 0.25 * 0.75) ** 0.5


def test_a_file_is_read_and_shakespeare_is_the_published_text(tmp_path, monkeypatch):
    path = tmp_path / "verse.txt"
    path.write_text(VERSE, encoding="utf-8")
    assert torch.equal(text(path).tokens, WORDS.tokens)
    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    assert len(text()) > 100_000
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "tinyshakespeare.txt").write_text("First Citizen:")
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path))
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="SHA-256"):
        text()


def test_what_is_no_text_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("verse.txt").write_bytes(b"\xff\xfe\xff")
    for error, call, told in (
        (DataError, lambda: text(""), "empty"),
        (DataError, lambda: text(Path("none.txt")), "cannot be read"),
        (DataError, lambda: text(Path("verse.txt")), "UTF-8"),
        (ConfigurationError, lambda: text("verse.txt"), "names a file"),
        (DataError, lambda: WORDS.encode("the Quality"), "'Q' at place 4"),
        (ConfigurationError, lambda: Characters("ba"), "ascending"),
        (ConfigurationError, lambda: Text(torch.tensor([9]), Characters("ab")), "label 9"),
        (DtypeError, lambda: Text(torch.tensor([0.0]), Characters("ab")), "float32"),
        (ShapeError, lambda: Text(torch.tensor([[0]]), Characters("ab")), r"\(1, 1\)"),
        (ShapeError, lambda: text("ab").windows(3), "window of 3"),
        (ConfigurationError, lambda: text("ab").split(0.0), "empty"),
        (ConfigurationError, lambda: WORDS.masked(1, 2, generator(), 1.5), "share"),
    ):
        with pytest.raises(error, match=told):
            call()


def test_byte_pairs_read_back_every_string_in_fewer_tokens():
    pytest.importorskip("tokenizers")
    pairs = BytePairs.of(VERSE, 300)
    shorter = WORDS.recoded(pairs)
    assert len(pairs) == shorter.hidden <= 300
    assert shorter.decode(shorter.tokens) == VERSE
    assert len(shorter) < 0.6 * len(WORDS)
    assert pairs.decode(pairs.encode("Ünknown ☃")) == "Ünknown ☃"
    gap = torch.cat([pairs.encode("to"), torch.tensor([len(pairs)]), pairs.encode(" be")])
    assert pairs.decode(gap) == "to▢ be"


def test_byte_pairs_without_their_package_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigurationError, match=r"pip install ebmlab\[text\]"):
        data.BytePairs.of(VERSE)
