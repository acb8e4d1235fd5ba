import importlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebmlab.metrics import knn_accuracy

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def module(name):
    return importlib.import_module(name)


@pytest.fixture
def small():
    """As large as digits: 8 × 8 pixels, classes told by where the light is."""
    nuisance, rng = module("nuisance"), torch.Generator().manual_seed(0)

    def drawn(n):
        labels = torch.arange(n) % 10
        images = 0.3 * torch.rand(n, 1, 8, 8, generator=rng)
        images.flatten(1)[torch.arange(n), 6 * labels] = 1.0
        return nuisance.Labeled(images, labels)

    return nuisance.judged(drawn(512).images, drawn(200), drawn(100), drawn(60))


def test_every_method_and_every_removal_trains_and_is_judged(small, monkeypatch):
    methods, invariance = module("invariance_methods"), module("invariance")
    monkeypatch.setattr(methods, "WIDTH", 8)
    few = {name: replace(setting, batch=64) for name, setting in methods.SETTINGS.items()}
    monkeypatch.setattr(invariance, "SETTINGS", few)
    jobs = [job for job in invariance.JOBS if job.kind != "lightly" and not job.seed]
    assert len(jobs) == len(module("invariance_methods").SETTINGS) + len(
        module("invariance_removed").REMOVED
    )
    for job in jobs:
        run = invariance.ran(job, small, images=64, looks=1)
        assert 0 <= run["knn"] <= 1, job
        assert run["rank"] >= 1, job
        assert run["skipped"] == 0, job


def test_a_run_is_the_same_again_and_another_with_another_seed(small):
    invariance = module("invariance")
    first, again, other = (
        invariance.ran(invariance.Job("trained", "simclr", seed), small, images=512, looks=1)
        for seed in (0, 0, 1)
    )
    assert first["value"] == again["value"] != other["value"]


def test_the_bank_and_the_queries_are_judged_under_one_fixed_draw(small):
    nuisance = module("nuisance")
    clean = nuisance.Labeled(torch.rand(50, 1, 8, 8), torch.arange(50) % 5)
    first, again = (nuisance.judged(clean.images, clean, clean, clean) for _ in range(2))
    assert torch.equal(first.bank.images, again.bank.images)
    assert not torch.equal(first.bank.images, clean.images)
    judge = nuisance.Judge(small)
    bank, queries, unseen = (part.images.flatten(1) for part in small[1:])
    own = knn_accuracy(bank, small.bank.labels, queries, small.queries.labels)
    assert judge.pixels(centered=False).knn == own
    other = knn_accuracy(bank, small.bank.labels, unseen, small.unseen.labels)
    assert judge.pixels(centered=False).unseen == other


def test_training_views_are_new_in_every_epoch_and_no_image_comes_twice_in_one():
    nuisance = module("nuisance")
    images = torch.arange(8.0)[:, None, None, None].expand(8, 1, 4, 4) / 8
    feed = iter(nuisance.Feed(images, 4, torch.Generator().manual_seed(0)))
    first = torch.cat([next(feed)[0] for _ in range(2)])
    second = torch.cat([next(feed)[0] for _ in range(2)])
    assert first.shape == (8, 1, 4, 4)
    assert not torch.equal(first, second)


def test_a_constant_code_is_judged_as_collapsed(small):
    nuisance = module("nuisance")
    seen = nuisance.Judge(small).codes(*(torch.ones(n, 3) for n in (200, 100, 60)))
    assert (seen.rank, seen.spread) == (1.0, 0.0)
    assert seen.knn <= 0.11


def test_finished_runs_are_kept_and_tables_are_written_from_them(small, tmp_path):
    invariance, tables = module("invariance"), module("invariance_tables")
    runs = [
        invariance.ran(invariance.Job(kind, "simclr"), small, images=256, looks=1)
        | {"commit": "def"}
        for kind in ("trained", "removed")
    ]
    about = {
        "command": "here",
        "machine": "this",
        "threads": 1,
        "versions": {"torch": "2"},
        "commit": "abc",
        "date": "today",
        "first": {"pixels": (0.5, 0.5, 3.0, 0.5)},
    }
    lines = tmp_path / "runs.jsonl"
    tables.write(lines, about, runs)
    text = lines.with_suffix(".md").read_text()
    assert text.count("| simclr ") == 2
    assert "negatives" in text
    assert "the runs are of commits def." in text
    keys = {invariance.key(invariance.Job(*invariance.who(run)), run["images"]) for run in runs}
    assert keys == {("trained", "simclr", 0, 256), ("removed", "simclr", 0, 256)}


def test_the_step_size_rises_and_falls():
    risen = module("invariance").risen
    assert risen(0.0) == 0.0
    assert risen(0.025) == pytest.approx(0.5)
    assert risen(0.05) == pytest.approx(1.0)
    assert risen(1.0) == pytest.approx(0.0, abs=1e-12)


def test_the_peak_of_a_step_is_what_its_largest_tensors_take():
    peak = module("step_costs").peak
    n = 1 << 20

    def step():
        a = torch.zeros(n)
        b = a + 1
        del a
        return (b + 1).sum()

    assert peak(step, "cpu") == pytest.approx(8 * n, rel=0.01)


@pytest.mark.slow
@pytest.mark.skipif("EBMLAB_DATA" not in os.environ, reason="needs Fashion-MNIST")
def test_simclr_learns_what_pixels_do_not_show_and_without_negatives_it_collapses():
    invariance = module("invariance")
    data = module("nuisance").pool()
    pixels = invariance.untrained(data)["pixels, mean-centered"].knn
    whole = invariance.ran(invariance.Job("trained", "simclr"), data, invariance.IMAGES)
    assert whole["knn"] >= 0.70 > pixels
    assert whole["told"] == []
    alone = invariance.ran(invariance.Job("removed", "simclr"), data, invariance.IMAGES)
    assert alone["knn"] < whole["knn"] - 0.05
    assert "few directions" in alone["told"][0]
