import json
import math

import pytest
import torch
from fit_support import line, pairs

from ebmlab.training import Recording, fit


def test_a_watch_sees_method_batch_and_loss_at_recorded_steps_and_its_numbers_are_kept(tmp_path):
    seen, method = [], line()

    def watch(method, batch, loss):
        seen.append((method, batch[0].shape, float(loss.value.detach())))
        return {"rank": 2.0, "rows": torch.tensor(5.0)}

    run = fit(
        method,
        pairs(),
        steps=7,
        batch_size=16,
        record=Recording(every=3, watch=watch, out=tmp_path),
    )
    assert [entry[:2] for entry in seen] == [(method, (16, 1))] * 3
    assert [entry[2] for entry in seen] == run.history["value"]
    assert run.history["rank"] == [2.0] * 3
    assert run.history["rows"] == [16.0] * 3
    assert run.history["watch.rows"] == [5.0] * 3
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(row["metrics"]["rank"] == 2.0 for row in lines)


def test_a_watch_comes_after_commit_and_changes_nothing_of_the_run():
    def commits(method, batch, loss):
        return {"commits": float(method.objective.commits), "odd": math.nan}

    plain = fit(line(), pairs(), steps=6, record=Recording(every=2))
    run = fit(line(), pairs(), steps=6, record=Recording(every=2, watch=commits))
    assert run.history["commits"] == [2.0, 4.0, 6.0]
    assert run.history["value"] == plain.history["value"]
    assert "commits" not in plain.history


def test_what_a_watch_raises_ends_the_run_and_modes_come_back():
    class Enough(RuntimeError):
        pass

    def watch(method, batch, loss):
        raise Enough

    method = line()
    method.eval()
    with pytest.raises(Enough):
        fit(method, pairs(), steps=6, record=Recording(watch=watch))
    assert not method.training
    assert all(p.grad is None for p in method.parameters())
