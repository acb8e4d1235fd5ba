"""Runs on points: what is recorded, measured and drawn, against laws that are known."""

import json
import math
from dataclasses import replace

import pytest
import torch
from cli_support import TINY, ebmlab
from PIL import Image
from safetensors.torch import load_file

from ebmlab import metrics
from ebmlab.data import toys
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.partition import quadrature
from ebmlab.runs import configured, train
from ebmlab.runs._points import numbers
from ebmlab.runs._points.kind import Densities
from ebmlab.runs.build import build
from ebmlab.runs.densities import DENSITIES
from ebmlab.runs.follow import frames_of
from ebmlab.runs.kinds import kind_of
from ebmlab.runs.restore import restore
from ebmlab.training.checkpoint import Restored
from ebmlab.training.record import read_record
from ebmlab.types import Potential

SMALL = {"limit": 64, "batch_size": 32, "epochs": 2}


def measured(data, law, limit=1000):
    """What is found of a run whose model is this law."""
    built = build(configured("denoising_score", data, **SMALL))
    exact = replace(built.preset, density=lambda energy: law)
    whole = build(configured("denoising_score", data, epochs=1)).points
    return kind_of("denoising_score").measure(
        replace(built, preset=exact, points=whole), None, limit
    )


def of(toy, scale=1.0):
    return Potential(lambda y: scale * -toy.log_density(y) + 3.0)


@pytest.fixture
def coarse(monkeypatch):
    """Grids on which a landscape that was hardly trained is as exact."""
    monkeypatch.setattr(numbers, "NODES", 10)
    monkeypatch.setattr(numbers, "FINE", 50)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("method", DENSITIES)
def test_every_density_that_is_offered_trains_and_is_measured(tmp_path, monkeypatch, method):
    command = ("train", method, *TINY, "--data", "eight-gaussians", "--out", tmp_path)
    assert ebmlab(monkeypatch, *command) == 0
    assert ebmlab(monkeypatch, "evaluate", tmp_path, "--limit", "64") == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["settings"] == {
        "method": method, "data": "eight-gaussians", "step": 2, "train": 64, "test": 64
    }  # fmt: skip
    assert {"NLL, nats", "excess over it, nats"} <= found["numbers"].keys()
    assert len(found["mode_weights"]) == 8
    assert sum(found["mode_weights"]) == pytest.approx(1)


def test_the_true_law_has_no_excess_right_weights_and_samples_like_data():
    toy = toys.eight_gaussians
    found = measured("eight-gaussians", of(toy)).numbers
    assert found["excess over it, nats"] == pytest.approx(0, abs=1e-4)
    assert found["largest error of a mode's weight"] < 1e-3
    # Both are unbiased around 0; a law three times as hot is far from it.
    assert abs(found["KSD² of held-out points"]) < 0.02
    assert abs(found["MMD² of samples and held-out points"]) < 0.003
    assert found["precision of samples (k = 5)"] > 0.95
    hot = measured("eight-gaussians", of(toy, 0.3)).numbers
    assert hot["excess over it, nats"] > 0.1
    assert hot["KSD² of held-out points"] > 0.05
    assert hot["precision of samples (k = 5)"] < 0.9
    turned = measured("eight-gaussians", of(toy, -0.01)).numbers
    assert turned["AUROC of noise, uniform in [-4, 4]²"] < 0.1 < 0.9
    assert found["AUROC of noise, uniform in [-4, 4]²"] > 0.85


@pytest.mark.usefixtures("coarse")
def test_mass_far_from_all_data_is_told_of():
    flat = measured("checkerboard", Potential(lambda y: 0.01 * y.square().sum(-1)))
    assert flat.advice is not None
    assert "mass lies where no data are" in flat.advice
    assert flat.numbers["NLL, nats"] > flat.numbers["NLL, nats, Z over [-4, 4]²"] + 1
    assert measured("pinwheel", of(toys.pinwheel)).advice is None


def test_the_record_holds_the_exact_nll_and_the_checkpoint_a_film(tmp_path):
    config = configured("noise_contrastive", "two-moons", **SMALL)
    assert (config.lr, config.encoder, config.dim) == (
        DENSITIES["noise_contrastive"].lr,
        None,
        None,
    )
    train(config, tmp_path, every=3)
    _, built, kept = restore(tmp_path)
    assert sorted(kept.frames) == [0, 3, 4]
    line = read_record(tmp_path / "metrics.jsonl")[-1]
    corner = torch.full((2,), 4.0)
    z = quadrature(built.u, -corner, corner, resolution=200)
    due = float(metrics.nll(built.u, built.points.held_out, z))
    assert line["metrics"]["nll"] == pytest.approx(due, abs=1e-3)
    torch.testing.assert_close(kept.frames[4], built.seen(64).energy)
    assert not torch.allclose(kept.frames[0], kept.frames[4], atol=1e-3)


def test_an_energy_that_is_not_finite_is_looked_at_without_an_end():
    built = build(configured("denoising_score", "two-moons", **SMALL))
    broken = Potential(lambda y: torch.full_like(y[:, 0], math.nan))
    run = replace(built, preset=replace(built.preset, density=lambda energy: broken))
    seen = kind_of("denoising_score").look(run)
    assert math.isnan(seen.numbers["nll"])
    assert seen.frame is not None


def test_looking_on_changes_nothing(tmp_path):
    config = configured("denoising_score", "two-moons", **SMALL)
    for name, every in (("often", 1), ("seldom", 100)):
        train(config, tmp_path / name, every=every)
    often, seldom = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("often", "seldom")
    )
    assert len(often) > len(seldom)
    shared = {name for name in seldom if name.startswith(("method", "optimizer"))}
    assert shared
    assert all(torch.equal(often[name], seldom[name]) for name in shared)


@pytest.mark.parametrize(
    ("batch_size", "limit", "steps"), [(128, None, 3000), (64, None, 3000), (100, 1000, 3000)]
)
def test_three_thousand_steps_are_usual(batch_size, limit, steps):
    # Whole epochs: of 1,200 steps with a batch of 64, two.
    config = configured("denoising_score", "rings", batch_size=batch_size, limit=limit)
    n = 76_800 if limit is None else limit
    assert config.epochs * (n // batch_size) == pytest.approx(steps, rel=0.21)


def test_digits_have_no_exact_likelihood_and_are_drawn_as_images(tmp_path, monkeypatch, capsys):
    command = ("train", "denoising_score", *TINY, "--data", "digits", "--out", tmp_path)
    assert ebmlab(monkeypatch, *command) == 0
    assert ebmlab(monkeypatch, "evaluate", tmp_path, "--limit", "64") == 0
    assert "the exact NLL is unavailable in 64 dimensions" in capsys.readouterr().out
    found = json.loads((tmp_path / "evaluation.json").read_text())["numbers"]
    assert not any("NLL" in name for name in found)
    assert {"KSD² of samples", "acceptance of chains"} <= found.keys()
    assert ebmlab(monkeypatch, "evaluate", tmp_path, "--data", "two-moons").endswith(
        "points of length 2, but the run saw 64"
    )
    points = build(configured("denoising_score", "digits", **SMALL)).points
    shown = points.images(points.points)
    assert shown.shape == (64, 1, 8, 8)
    # Levels 0 … 16 in 17 intervals, back from vectors of unit spread.
    assert float((shown * 17).floor().max()) <= 17
    assert ((shown >= 0) & (shown <= 1)).all()


@pytest.mark.slow
def test_a_density_is_drawn(tmp_path, monkeypatch, capsys):
    command = ("train", "denoising_score", *TINY, "--data", "rings", "--out", tmp_path)
    assert ebmlab(monkeypatch, *command) == 0
    capsys.readouterr()
    assert ebmlab(monkeypatch, "plot", tmp_path) == 0
    names = ["curves.png", "landscape.png", "samples.png", "film.gif"]
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)
    with Image.open(tmp_path / "film.gif") as film:
        # Steps 0, 1 and 2, and the last for a second.
        assert film.n_frames == 3


def test_a_recipe_of_few_dimensions_says_so():
    kind = kind_of("denoising_score")
    few = Densities({"denoising_score": replace(kind.presets["denoising_score"], most=3)})
    config = configured("denoising_score", "digits", **SMALL)
    with pytest.raises(ConfigurationError, match="at most 3 dimensions, and those of digits"):
        few.build(config, torch.device("cpu"))


def test_frames_that_are_none_are_told_of():
    assert frames_of(Restored(1, {})) == {}
    for wrong in ([1], {"first": torch.zeros(2)}):
        with pytest.raises(FileError, match="no frames of a film"):
            frames_of(Restored(1, {"watch": {"frames": wrong}}))
