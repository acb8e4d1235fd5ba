"""One page tells of every benchmark, and one shows every race as the tables have it."""

import importlib
import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GUIDE = (BENCHMARKS / "README.md").read_text()
SUMMARY = (BENCHMARKS / "results" / "SUMMARY.md").read_text()
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("XLA_FLAGS", "")
    return importlib.import_module


def test_the_guide_names_every_topic_and_every_script(module):
    rows = set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert rows == set(module("run").TOPICS)
    untold = [name for name in SCRIPTS if name.removesuffix(".py") not in rows]
    assert [name for name in untold if f"`{name}" not in GUIDE and f"/{name}" not in GUIDE] == []


def test_what_the_guide_names_is_there():
    for name in re.findall(r"[\w/]+\.(?:py|json|png)\b", GUIDE):
        at = name.removeprefix("benchmarks/")
        assert (BENCHMARKS / at).exists(), name


def test_the_summary_is_what_the_tables_say(module):
    assert module("summary").summary(BENCHMARKS / "results") == SUMMARY


def race(**changed):
    row = dict.fromkeys(("ess_ratio", "peer_spread", "peer_seconds", "ratio"))
    row |= {"topic": "t", "case": "c", "ours": "o", "peer": "", "seconds": 2.0, "spread": 1.0}
    return row | changed


@pytest.mark.parametrize(
    ("rows", "peer", "ahead"),
    [
        ([race(peer="a", ratio=3.0), race(peer="b", ratio=0.9)], "b", False),
        ([race(peer="ebmlab eager", ratio=0.5), race(peer="a", ratio=3.0)], "a", True),
        # Effective draws a second decide where there are any.
        ([race(peer="a", ratio=3.0, ess_ratio=0.5)], "a", False),
        ([race(peer="ebmlab eager", ratio=0.5)], "ebmlab eager", None),
        ([race()], "", None),
    ],
)
def test_the_hardest_peer_stands_in_the_summary(module, rows, peer, ahead):
    (line,) = module("summary").raced({"command": "", "date": "", "commit": "", "rows": rows})
    assert (line.peer, line.ahead, line.spread) == (peer, ahead, 50.0)


def test_a_race_that_is_lost_is_marked(module, tmp_path):
    table = '{"command": "run --device cuda", "date": "today", "commit": "abc", "rows": [%s]}'
    row = str(race(peer="a", ratio=0.5)).replace("'", '"').replace("None", "null")
    (tmp_path / "t_cuda.json").write_text(table % row)
    page = module("summary").summary(tmp_path)
    assert "behind in 1;" in page
    assert re.search(r"\| t +\| CUDA \| c +\| o .*\| 0.5 +\| – +\| behind \| 50 %", page)
