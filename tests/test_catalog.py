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
    start = lines[0].index("energy E")
    rows = {line[2:].split()[0]: line for line in lines[2:-1] if line[start:].strip()}
    rows = {name: line for name, line in rows.items() if name in CATALOG}
    assert rows.keys() == CATALOG.keys()
    for name, line in rows.items():
        assert line[start:].startswith(CATALOG[name].energy)
        assert line.endswith(CATALOG[name].collapse)
        assert line.startswith("*") == (name in OFFERED)


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
