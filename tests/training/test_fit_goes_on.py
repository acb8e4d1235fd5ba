import math

import pytest
import torch
from fit_support import Pull, Scripted, line, pairs
from torch import nn

from ebmlab import fit
from ebmlab.errors import FileError
from ebmlab.methods import regression
from ebmlab.training import Checkpoints, Recording, Stepping
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

    run = fit(method, (X, 2 * X), steps=4, record=Recording(after=after))
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    assert run.steps == 4
    for kept, now in zip(seen[-1][1], method.parameters(), strict=True):
        assert torch.equal(kept, now)
        assert now.grad is None


def test_after_ends_the_run_and_the_last_step_is_recorded(tmp_path):
    record = Recording(tmp_path, after=lambda step: step == 13)
    run = fit(line_fit(), (X, 2 * X), steps=50, record=record)
    assert run.steps == 13
    assert run.history["step"] == [10, 13]
    assert [line["step"] for line in read_record(tmp_path / "metrics.jsonl")] == [10, 13]


class Counting:
    """A watch that counts its looks, and a logger that remembers its steps."""

    def __init__(self):
        self.looks, self.steps = 0, []

    def __call__(self, *arguments):
        if len(arguments) == 2:
            self.steps.append(arguments[0])
            return None
        self.looks += 1
        return {"looks": float(self.looks)}

    def state_dict(self):
        return {"looks": self.looks, "steps": self.steps}

    def load_state_dict(self, state):
        self.looks, self.steps = state["looks"], list(state["steps"])


def doubled(x):
    return x, 2 * x


DATA = {
    "tensors": pairs(20),
    "function": lambda n, rng: doubled(torch.rand(n, 1, generator=rng, dtype=torch.float64)),
    "iterable": [tuple(t[i : i + 4] for t in pairs(20)) for i in (0, 4, 8, 12, 16)],
}


def run_to(folder, steps, data, start=0, bad=(6, 11)):
    """A run up to some steps: noise, Adam, warm-up, and two bad steps."""
    # Calls are counted from where the run goes on.
    odd = Scripted(lambda call: math.nan if call + start in bad else 1.0)
    method, seen = line(Pull(0.5) + odd, seed=start), Counting()
    run = fit(
        method,
        data,
        steps=steps,
        batch_size=4,
        optimizer=torch.optim.Adam,
        stepping=Stepping(warmup=9),
        record=Recording(folder, 3, seen, (seen,)),
        keep=Checkpoints(folder, every=4, resume=True),
    )
    lines = [[line[c] for c in ("step", "value", "skipped")] for line in lines_of(folder)]
    return dict(method.state_dict()), (run.steps, run.skipped), seen, lines


def lines_of(folder):
    return read_record(folder / "metrics.jsonl")


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_a_run_goes_on_in_mid_epoch_as_if_it_had_never_stopped(tmp_path, data):
    """Order of rows, noise, optimizer, warm-up, skipped steps, watch, logger, record."""
    state, told, seen, lines = run_to(tmp_path / "once", 14, data)
    for start, steps in ((0, 3), (3, 8), (8, 14)):
        twice = run_to(tmp_path / "twice", steps, data, start)
    assert told == twice[1] == (14, 2)
    assert all(torch.equal(state[name], twice[0][name]) for name in state)
    assert (seen.looks, seen.steps) == (5, [3, 6, 9, 12, 14])
    # The step at which a run was left is recorded too.
    assert (twice[2].looks, twice[2].steps) == (6, [3, 6, 8, 9, 12, 14])
    assert lines == [line for line in twice[3] if line[0] != 8]
    other, *_ = run_to(tmp_path / "other", 14, data, bad=())
    assert not torch.equal(other["energy.net.weight"], state["energy.net.weight"])


def test_nothing_is_left_to_do_at_the_last_step(tmp_path):
    method = line_fit()
    keep = Checkpoints(tmp_path, resume=True)
    fit(method, (X, 2 * X), steps=6, keep=keep)
    run = fit(method, (X, 2 * X), steps=6, keep=keep)
    assert (run.steps, run.history) == (6, {})


def test_without_resume_a_run_begins_anew(tmp_path):
    method = line_fit()
    fit(method, (X, 2 * X), steps=6, keep=Checkpoints(tmp_path))
    assert fit(method, (X, 2 * X), steps=10, keep=Checkpoints(tmp_path)).history["step"] == [10]


def test_a_half_written_line_is_left_out_and_other_files_are_refused(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert [line["step"] for line in read_record(path)] == [1, 2]
    path.write_text("loss\n")
    with pytest.raises(FileError, match="no record"):
        read_record(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_record(tmp_path / "none.jsonl")
