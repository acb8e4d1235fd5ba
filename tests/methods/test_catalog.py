import pytest
from cli_support import ebmlab

from ebmlab import methods
from ebmlab.catalog import CATALOG, described
from ebmlab.runs import OFFERED


def test_every_recipe_has_its_line():
    assert set(CATALOG) == set(methods.__all__)
    assert set(OFFERED) <= set(CATALOG)
    for entry in CATALOG.values():
        assert all(entry)
        assert all(text == text.strip() and "\n" not in text for text in entry)


def test_the_table_is_aligned_and_marks_what_is_offered(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "methods") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    left, right = lines[0].index("energy E"), lines[1].index("prevents")
    assert (lines[1].index("objective"), lines[0].index("z", left + 20)) == (left, right)
    assert set(lines[2]) == {"-", " "}
    rows = {line[2:left].strip(): k for k, line in enumerate(lines[:-1]) if line[2:left].strip()}
    rows = {name: k for name, k in rows.items() if name in CATALOG}
    assert rows.keys() == CATALOG.keys()
    for name, k in rows.items():
        entry = CATALOG[name]
        cells = [line[a:b].strip() for line in lines[k : k + 2] for a, b in spans(left, right)]
        assert cells == [entry.energy, entry.z, entry.objective, entry.collapse]
        assert lines[k].startswith("*") == (name in OFFERED)


def spans(left, right):
    return (left, right), (right, None)


@pytest.mark.parametrize("name", sorted(methods.__all__))
def test_all_of_a_recipe_is_told(name):
    told = described(name)
    assert CATALOG[name].energy in told
    assert f"{name}(" in told
    assert getattr(methods, name).__doc__.split("\n")[0].strip() in told


def test_defaults_are_shown(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "methods", "moco") == 0
    told = capsys.readouterr().out
    assert "temperature=0.2" in told
    assert "arXiv:1911.05722" in told
