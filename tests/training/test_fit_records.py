import json
import math
import signal
import sys

import pytest
import torch
from fit_support import Pull, Scripted, line, pairs

from ebmlab.protocols import Loss
from ebmlab.training import Recording, fit


def test_history_holds_every_recorded_step_and_the_last():
    run = fit(line(), pairs(), steps=7, batch_size=16, record=Recording(every=3))
    assert run.history["step"] == [3, 6, 7]
    assert set(run.history) == {"step", "value", "pull", "rows"}
    assert run.history["value"] == run.history["pull"]
    assert run.history["rows"] == [16.0] * 3


def test_metrics_that_share_a_name_and_come_and_go_keep_their_columns():
    class Some(Pull):
        def forward(self, energy, x, y, rng) -> Loss:
            self.calls = getattr(self, "calls", 0) + 1
            loss = super().forward(energy, x, y, rng)
            late = {"late": torch.tensor(1.0)} if self.calls == 2 else {}
            return loss._replace(metrics={"pull": torch.tensor(5.0), **late})

    history = fit(line(Some()), pairs(), steps=3, record=Recording(every=1)).history
    assert history["metrics.pull"] == [5.0] * 3
    assert history["pull"] == history["value"]
    assert [math.isnan(late) for late in history["late"]] == [True, False, True]


def strict(path) -> list[dict]:
    def refuse(word):
        raise ValueError(word)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_metrics_are_lines_of_strict_json(tmp_path):
    out = tmp_path / "new" / "run"
    method = line(Scripted(lambda call: math.nan if call == 2 else 1.0))
    run = fit(method, pairs(), steps=4, record=Recording(every=1, out=out))
    lines = strict(out / "metrics.jsonl")
    assert [row["step"] for row in lines] == [1, 2, 3, 4]
    assert [row["skipped"] for row in lines] == [0, 1, 1, 1]
    assert set(lines[0]) == {"step", "seconds", "value", "terms", "metrics", "skipped"}
    assert lines[1]["value"] is None
    assert math.isnan(run.history["value"][1])
    assert lines[3]["terms"] == {"energy": run.history["energy"][3]}
    assert lines[3]["metrics"]["two"] == run.history["value"][3]
    assert 0 <= lines[0]["seconds"] <= lines[3]["seconds"]


@pytest.fixture
def interruptible():
    """A process that was started in the background may have been told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_propagates_and_leaves_whole_lines(tmp_path):
    method, calls = line(), []
    method.eval()

    def draw(size, rng):
        calls.append(size)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)
        return pairs(size)

    with pytest.raises(KeyboardInterrupt):
        fit(method, draw, steps=100, record=Recording(every=3, out=tmp_path))
    assert [row["step"] for row in strict(tmp_path / "metrics.jsonl")] == [3, 6]
    assert not method.training


def test_each_line_is_on_disk_before_the_next_step(tmp_path):
    seen = []

    def draw(size, rng):
        file = tmp_path / "metrics.jsonl"
        seen.append(file.read_text().count("\n"))
        return pairs(size)

    fit(line(), draw, steps=4, record=Recording(every=1, out=tmp_path))
    assert seen == [0, 1, 2, 3]


def test_the_bar_shows_and_stays_silent(capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit(line(), pairs(), steps=3, record=Recording(progress=False))
    assert capfd.readouterr() == ("", "")
    fit(line(), pairs(), steps=3, record=Recording(every=1))
    shown = capfd.readouterr()
    assert "training" in shown.err
    assert "skipped=0" in shown.err
    assert shown.out == ""
