import pytest
import torch
from torch import nn

from ebmlab import fit
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.methods import regression
from ebmlab.training.record import read_record

X = torch.linspace(-1, 1, 64)[:, None]


def line_fit():
    method = regression(nn.Linear(1, 1))
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.fill_(0.5)
    return method


def test_after_sees_every_step_once_its_state_is_whole():
    method, seen = line_fit(), []

    def after(step):
        seen.append((step, [p.clone() for p in method.parameters()]))
        return False

    run = fit(method, (X, 2 * X), steps=4, after=after, progress=False)
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    assert run.steps == 4
    for kept, now in zip(seen[-1][1], method.parameters(), strict=True):
        assert torch.equal(kept, now)
        assert now.grad is None


def test_after_ends_the_run_and_the_last_step_is_recorded(tmp_path):
    run = fit(
        line_fit(), (X, 2 * X), steps=50, after=lambda step: step == 13, out=tmp_path,
        progress=False,
    )  # fmt: skip
    assert run.steps == 13
    assert run.history["step"] == [10, 13]
    assert [line["step"] for line in read_record(tmp_path / "metrics.jsonl")] == [10, 13]


def test_a_run_that_goes_on_counts_on_and_keeps_its_record(tmp_path):
    method, data = line_fit(), (X, 2 * X)
    fit(method, data, steps=20, out=tmp_path, every=5, progress=False)
    first = read_record(tmp_path / "metrics.jsonl")
    run = fit(method, data, steps=25, start=12, out=tmp_path, every=5, progress=False)
    assert run.history["step"] == [15, 20, 25]
    assert run.steps == 25
    lines = read_record(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 25]
    assert lines[:2] == first[:2]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds)


def test_the_schedule_goes_on_where_it_was():
    sizes = []
    for start in (0, 3):
        method = line_fit()
        optimizer = torch.optim.SGD(method.parameters(), lr=1.0)
        seen = {}

        def after(step, seen=seen, optimizer=optimizer):
            seen[step] = optimizer.param_groups[0]["lr"]
            return False

        fit(
            method, (X, 2 * X), steps=6, start=start, optimizer=optimizer,
            schedule=lambda done: 1 - done, after=after, progress=False,
        )  # fmt: skip
        sizes.append(seen)
    assert sizes[1] == {step: sizes[0][step] for step in (4, 5, 6)}


def test_nothing_is_left_to_do_at_the_last_step():
    method = line_fit()
    run = fit(method, (X, 2 * X), steps=6, start=6, progress=False)
    assert (run.steps, run.history) == (6, {})
    assert all(torch.equal(p, torch.full_like(p, 0.5)) for p in method.parameters())


@pytest.mark.parametrize("start", [-1, 7])
def test_a_start_outside_the_run_is_refused(start):
    with pytest.raises(ConfigurationError, match=f"start is {start}"):
        fit(line_fit(), (X, 2 * X), steps=6, start=start, progress=False)


def test_a_half_written_line_is_left_out_and_other_files_are_refused(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert [line["step"] for line in read_record(path)] == [1, 2]
    path.write_text("loss\n")
    with pytest.raises(FileError, match="no record"):
        read_record(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_record(tmp_path / "none.jsonl")
