import json
import math

import pytest
import torch
from cli_support import TINY, ebmlab

from ebmlab.runs._images import numbers as evaluation
from ebmlab.runs._images.image_sets import image_set
from ebmlab.runs.presets import PRESETS
from ebmlab.runs.restore import restore

# SEER's own encoder, which test_run_encoders.py has, is most of the time of all methods.
SMALLER = {"seer": ("--encoder", "conv")}


@pytest.mark.parametrize("method", PRESETS)
def test_every_method_that_is_offered_trains_and_is_evaluated(tmp_path, monkeypatch, method):
    small = (*TINY, *SMALLER.get(method, ()))
    assert ebmlab(monkeypatch, "train", method, *small, "--out", tmp_path) == 0
    assert ebmlab(monkeypatch, "evaluate", tmp_path, "--limit", "64") == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["settings"] == {
        "method": method, "data": "digits", "step": 2, "train": 64, "test": 64
    }  # fmt: skip
    assert all(math.isfinite(value) for value in found["numbers"].values())
    assert len(found["dimension_std"]) == found["numbers"]["dimensions"]
    measure = PRESETS[method].measure
    assert measure is None or measure in found["numbers"]
    shares = [value for name, value in found["numbers"].items() if "accuracy" in name]
    assert len(shares) == 3
    assert all(0 <= value <= 1 for value in shares)
    codes, pixels, _ = shares
    assert (found["advice"] is None) == (codes >= pixels)


def test_the_energy_of_pca_is_the_variance_outside_its_directions(tmp_path, monkeypatch):
    command = ("train", "pca", "--epochs", "1", "--batch-size", "1200", "--dim", "5")
    assert ebmlab(monkeypatch, *command, "--out", tmp_path) == 0
    assert ebmlab(monkeypatch, "evaluate", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())["numbers"]
    images = image_set("digits")
    train, test = (part.double().flatten(1) for part in (images.images, images.test_images))
    basis = torch.linalg.svd(train - train.mean(0)).Vh[:5]
    away = test - train.mean(0)
    error = (away - away @ basis.T @ basis).square().sum(1).mean()
    assert found["squared error of an image"] == pytest.approx(float(error), rel=1e-4)


def test_the_table_holds_what_the_file_holds(tmp_path, monkeypatch, capsys):
    assert ebmlab(monkeypatch, "train", "kmeans", *TINY, "--out", tmp_path) == 0
    capsys.readouterr()
    assert ebmlab(monkeypatch, "evaluate", tmp_path) == 0
    table = capsys.readouterr().out
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert all(name in table for name in found["numbers"])


@pytest.mark.parametrize(("worth", "lines"), [(0.5, 1), (1.5, 0)])
def test_codes_worth_less_than_pixels_are_told_of_in_one_line(
    tmp_path, monkeypatch, capsys, worth, lines
):
    assert ebmlab(monkeypatch, "train", "pca", *TINY, "--out", tmp_path) == 0
    knn = evaluation.metrics.knn_accuracy

    def graded(codes, *others):
        return knn(codes, *others) * (worth if codes.shape[1] == 32 else 1.0)

    monkeypatch.setattr(evaluation.metrics, "knn_accuracy", graded)
    capsys.readouterr()
    assert ebmlab(monkeypatch, "evaluate", tmp_path, "--limit", "64") == 0
    told = [
        line for line in capsys.readouterr().out.splitlines() if "does better on pixels" in line
    ]
    assert len(told) == lines
    assert all("more than 1 epochs (--resume" in line for line in told)


def test_a_restored_run_computes_what_the_trained_one_did(tmp_path):
    from ebmlab.runs import Config, train

    config = Config("vae", "digits", 1, 32, 1e-3, True, "mlp", 8, 64, 0, "cpu")
    trained = train(config, tmp_path).built
    _, restored, kept = restore(tmp_path)
    assert kept.step == 2
    y = trained.images.test_images
    torch.testing.assert_close(
        restored.method.encode(y), trained.method.eval().encode(y), rtol=0, atol=0
    )


def test_images_of_another_shape_are_refused(tmp_path, monkeypatch):
    assert ebmlab(monkeypatch, "train", "pca", *TINY, "--out", tmp_path) == 0
    larger = image_set("digits")
    wide = larger._replace(images=torch.zeros(9, 1, 28, 28))
    monkeypatch.setattr("ebmlab.runs._images.numbers.image_set", lambda name, *size: wide)
    said = ebmlab(monkeypatch, "evaluate", tmp_path, "--data", "mnist")
    assert "images (1, 28, 28), but the run saw (1, 8, 8)" in said


LONGER = [pytest.param(name, marks=pytest.mark.slow) for name in ("simclr", "image_prediction")]


@pytest.mark.parametrize("method", ["vae", *LONGER])
def test_a_run_is_drawn(tmp_path, monkeypatch, capsys, method):
    assert ebmlab(monkeypatch, "train", method, *TINY, "--out", tmp_path) == 0
    capsys.readouterr()
    assert ebmlab(monkeypatch, "plot", tmp_path) == 0
    told = capsys.readouterr().out.split()
    drawn = {path.name for path in tmp_path.glob("*.png")}
    names = {"curves.png", "codes.png", "spectrum.png"}
    names |= {"reconstructions.png"} if method != "simclr" else set()
    assert drawn == names
    assert told == [str(tmp_path / name) for name in sorted(names, key=_order)]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)


def _order(name):
    return ["curves.png", "codes.png", "spectrum.png", "reconstructions.png"].index(name)
