import importlib
import json
import signal

import pytest
import torch
from cli_support import TINY, ebmlab
from safetensors.torch import load_file

from ebmlab.metrics import Collapse
from ebmlab.runs import Config, train
from ebmlab.runs.batches import Batches
from ebmlab.training.record import read_record

# The function of the same name hides the module.
RUN = importlib.import_module("ebmlab.runs.train")


def config(method="simclr", **changes):
    tiny = {
        "method": method,
        "data": "digits",
        "epochs": 3,
        "batch_size": 32,
        "lr": 1e-3,
        "decay": True,
        "encoder": "conv",
        "dim": 16,
        "limit": 64,
        "seed": 0,
        "device": "cpu",
    }
    return Config(**tiny | changes)


def test_a_run_leaves_its_arguments_its_record_and_a_checkpoint(tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    assert ebmlab(monkeypatch, "train", "vae", *TINY, "--out", out, "--seed", 3) == 0
    kept = json.loads((out / "config.json").read_text())
    assert kept["method"] == "vae"
    assert (kept["limit"], kept["seed"], kept["encoder"], kept["dim"]) == (64, 3, "mlp", 32)
    assert kept["versions"]["torch"] == torch.__version__
    (line,) = read_record(out / "metrics.jsonl")
    assert line["step"] == 2
    assert "effective_rank" in line["metrics"]
    assert load_file(out / "checkpoint.safetensors")
    assert f"{out}: 2 steps" in capsys.readouterr().out


def weights(run):
    return load_file(run / "checkpoint.safetensors")


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("moco", {}),
        ("deepcluster", {}),
        ("vae", {"encoder": "mlp"}),
        ("kmeans", {"encoder": None}),
        ("jepa", {"dim": 4}),
        ("masked_autoencoder", {"encoder": None}),
        ("ijepa", {"encoder": None}),
        ("denoising_score", {"data": "two-moons", "encoder": None, "dim": None}),
        ("noise_contrastive", {"data": "digits", "encoder": None, "dim": None}),
    ],
)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(tmp_path, monkeypatch, method, changes):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config(method, **changes), whole, every=1)
    pressed = iter([False, False, True])
    with monkeypatch.context() as patch:
        patch.setattr(RUN, "noticed", lambda: Answers(pressed))
        stopped = train(config(method, **changes), parts, every=1)
    assert not stopped.complete
    assert stopped.fit is not None
    assert stopped.fit.steps == 3
    rest = train(config(method, **changes), parts, resume=True, every=1)
    assert rest.complete
    a, b = weights(whole), weights(parts)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    records = [read_record(run / "metrics.jsonl") for run in (whole, parts)]
    values = [[(line["step"], line["value"]) for line in record] for record in records]
    assert values[0] == values[1]
    assert len(values[0]) == 6


def test_deepcluster_begins_with_clusters_of_the_data(tmp_path):
    run = train(config("deepcluster"), tmp_path)
    clocks = [term.infer.clock for term in run.built.method.energy.head.energy.terms]
    # An epoch of 2 commits before the 6 steps.
    assert [int(clock) for clock in clocks] == [8, 8, 8]


def test_deepcluster_sees_all_the_data_first_where_a_step_sees_several_batches(tmp_path):
    run = train(config("deepcluster", accumulate=2), tmp_path)
    clocks = [term.infer.clock for term in run.built.method.energy.head.energy.terms]
    # An epoch of 2 commits, and 3 steps of 2 batches.
    assert [int(clock) for clock in clocks] == [8, 8, 8]


class Answers:
    def __init__(self, pressed):
        self.pressed = pressed

    def __enter__(self):
        return lambda: next(self.pressed)

    def __exit__(self, *error):
        return False


def test_another_seed_is_another_run(tmp_path):
    for seed in (0, 1):
        train(config("vae", encoder="mlp", seed=seed), tmp_path / str(seed))
    a, b = weights(tmp_path / "0"), weights(tmp_path / "1")
    assert not all(torch.equal(a[name], b[name]) for name in a)


def test_ctrl_c_leaves_a_whole_checkpoint_and_exit_code_130(tmp_path, monkeypatch, capsys):
    draw = Batches.batch

    def interrupting(self, step, draws):
        if step == 3:
            signal.raise_signal(signal.SIGINT)
        return draw(self, step, draws)

    command = ("train", "autoencoder", *TINY[:4], "--epochs", "5", "--out", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "batch", interrupting)
        assert ebmlab(monkeypatch, *command) == 130
    assert "--resume" in capsys.readouterr().out
    assert [line["step"] for line in read_record(tmp_path / "metrics.jsonl")] == [3]
    assert ebmlab(monkeypatch, *command, "--resume") == 0
    steps = [line["step"] for line in read_record(tmp_path / "metrics.jsonl")]
    # The step at which it was stopped is recorded only as long as it goes no further.
    assert steps == [5, 10]
    assert ebmlab(monkeypatch, *command, "--resume") == 0
    assert "complete already" in capsys.readouterr().out


def test_more_epochs_may_be_asked_for(tmp_path):
    settings = {"encoder": "mlp", "dim": 8}
    train(config("autoencoder", epochs=1, **settings), tmp_path)
    more = train(config("autoencoder", epochs=2, **settings), tmp_path, resume=True)
    assert more.fit is not None
    assert more.fit.steps == 4
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == 2


def test_step_sizes_go_on_from_the_first_one_and_not_from_the_lowered_one(tmp_path):
    settings = {"encoder": "mlp", "dim": 8}
    train(config("autoencoder", epochs=1, **settings), tmp_path)
    more = train(config("autoencoder", epochs=9, **settings), tmp_path, resume=True)
    assert more.fit is not None
    assert more.fit.optimizer is not None
    assert more.fit.optimizer.param_groups[0]["lr"] == 1e-3


@pytest.mark.filterwarnings("default")
def test_collapse_is_warned_of_in_one_line(tmp_path, monkeypatch, capsys):
    watch = Collapse(spread=2.0, patience=1)
    monkeypatch.setattr("ebmlab.runs._images.kind.Collapse", lambda: watch)
    assert ebmlab(monkeypatch, "train", "autoencoder", *TINY, "--out", tmp_path) == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("ebmlab: warning: codes are one constant vector")
