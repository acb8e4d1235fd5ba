"""A method is registered once: by the card on its recipe."""

import importlib
import inspect
import pkgutil

import pytest
from cli_support import ebmlab

from ebmlab import methods
from ebmlab.cli.cards import described, markdown
from ebmlab.methods.cards import card, card_of, is_recipe
from ebmlab.runs import OFFERED
from ebmlab.runs.kinds import KINDS

CARDS = {name: card_of(getattr(methods, name)) for name in methods.__all__}


def written():
    """Public functions of the modules of `ebmlab.methods`, by name; and those with a card."""
    modules = [
        importlib.import_module(f"ebmlab.methods.{found.name}")
        for found in pkgutil.iter_modules(methods.__path__)
        if found.name != "cards"
    ]
    public = {name: getattr(m, name) for m in modules for name in m.__all__}
    own = {n: v for m in modules for n, v in vars(m).items() if is_recipe(v)}
    return public, own


def test_what_is_written_has_a_card_and_is_exported_by_its_name():
    public, own = written()
    assert public.keys() == own.keys() == set(methods.__all__)
    assert all(recipe.__name__ == name for name, recipe in own.items())
    assert len(CARDS) >= 39
    for entry in CARDS.values():
        assert all(entry)
        assert all(text == text.strip() and "\n" not in text for text in entry)


def test_a_new_recipe_is_found_by_its_card_alone(monkeypatch):
    from ebmlab.methods import scores

    @card(energy="E", collapse="all")
    def novel():
        raise NotImplementedError

    monkeypatch.setattr(scores, "novel", novel, raising=False)
    monkeypatch.setattr(scores, "__all__", [*scores.__all__, "novel"])
    try:
        again = importlib.reload(methods)
        assert set(again.__all__) == {*CARDS, "novel"}
        assert card_of(again.novel) == ("E", "–", "mean energy", "all")
    finally:
        monkeypatch.undo()
        del methods.novel
        importlib.reload(methods)
    assert set(methods.__all__) == set(CARDS)


def test_presets_are_of_methods_and_named_by_their_recipes():
    assert set(OFFERED) < set(CARDS)
    assert list(OFFERED) == sorted(OFFERED)
    for name, kind in OFFERED.items():
        assert kind.presets[name].recipe is getattr(methods, name)
        # A method is of one kind.
        assert [other for other in KINDS if name in other.presets] == [kind]


def test_the_table_has_a_row_for_each_card(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "methods", "--markdown") == 0
    table = capsys.readouterr().out
    assert table == markdown() + "\n"
    assert table.count("\n") == 2 + len(CARDS)


def test_the_table_is_aligned_and_marks_what_train_offers(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "methods") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    left, right = lines[0].index("energy E"), lines[1].index("prevents")
    assert (lines[1].index("objective"), lines[0].index("z", left + 20)) == (left, right)
    assert set(lines[2]) == {"-", " "}
    rows = {line[2:left].strip(): k for k, line in enumerate(lines[:-1]) if line[2:left].strip()}
    rows = {name: k for name, k in rows.items() if name in CARDS}
    assert rows.keys() == CARDS.keys()
    spans = ((left, right), (right, None))
    for name, k in rows.items():
        cells = [line[a:b].strip() for line in lines[k : k + 2] for a, b in spans]
        assert cells == list(CARDS[name])
        assert lines[k].startswith("*") == (name in OFFERED)


@pytest.mark.parametrize("name", methods.__all__)
def test_all_of_a_method_is_told(name):
    told = described(name)
    assert CARDS[name].energy in told
    assert f"{name}(" in told
    assert getattr(methods, name).__doc__.split("\n")[0].strip() in told


@pytest.mark.parametrize("name", methods.__all__)
def test_arguments_that_recipes_share_are_told_once(name):
    told = described(name).splitlines()
    for argument in ("encoder", "decoder", "dim", "distance", "projection", "hidden", "x_ndim"):
        taken = argument in inspect.signature(getattr(methods, name)).parameters
        lines = [line for line in told if line.startswith(f"    {argument}: ")]
        assert len(lines) == taken


def test_defaults_are_shown(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "methods", "moco") == 0
    told = capsys.readouterr().out
    assert "temperature=0.2" in told
    assert "arXiv:1911.05722" in told
