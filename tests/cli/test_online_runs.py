import json

import pytest
import torch
from cli_support import TINY, ebmlab

from ebmlab.runs import configured, train
from ebmlab.runs.restore import restore

NUMBERS = {"knn_accuracy", "probe_accuracy", "rankme", "lidar"}


def weights(run):
    return restore(run)[1].method.state_dict()


def seen(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line["metrics"].items() if k in NUMBERS} for line in lines]


def test_online_adds_numbers_and_leaves_the_run_as_it_is(tmp_path):
    config = configured("pca", "digits", epochs=2, limit=64, batch_size=32)
    seeing, plain = tmp_path / "seeing", tmp_path / "plain"
    train(config, seeing, every=1, online=True)
    train(config, plain, every=1)
    ours, theirs = weights(seeing), weights(plain)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert seen(plain) == [{}] * 4
    assert [set(numbers) for numbers in seen(seeing)] == [NUMBERS] * 4


def test_what_cannot_be_asked_for_is_told(tmp_path, monkeypatch):
    points = ("train", "denoising_score", *TINY, "--online", "--out", tmp_path / "points")
    assert "online is for codes of images" in ebmlab(monkeypatch, *points)
    other = ("train", "pca", *TINY, "--log", "paper", "--out", tmp_path / "pca")
    assert "log is 'paper'" in ebmlab(monkeypatch, *other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_numbers_reach_tensorboard(tmp_path, monkeypatch):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    command = ("train", "pca", *TINY, "--log", "tensorboard", "--out", tmp_path)
    assert ebmlab(monkeypatch, *command) == 0
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (last,) = events.Scalars("value")
    assert last.step == 2
