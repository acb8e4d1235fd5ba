"""Runs of image energies: trained, measured, drawn, sampled and completed, on few small images."""

import json
from functools import partial

import pytest
import torch
from cli_support import TINY, ebmlab
from PIL import Image

from ebmlab.errors import ConfigurationError
from ebmlab.runs import configured
from ebmlab.runs._image_energies import chains, numbers
from ebmlab.runs._image_energies.chains import answers, decoded
from ebmlab.runs._image_energies.features import class_features
from ebmlab.runs._image_energies.masks import MASKS, hidden
from ebmlab.runs.build import build


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Short walks."""
    for name, value in {"LEVELS": 3, "STEPS": 2, "TIMES": 2, "SEEN_STEPS": 2}.items():
        monkeypatch.setattr(chains, name, value)
    monkeypatch.setattr(numbers, "TIMES", 2)
    monkeypatch.setattr(numbers, "class_features", partial(class_features, steps=5))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    command = ("train", "image_energy", *TINY, "--dim", "4", "--out", tmp_path / "run")
    assert ebmlab(monkeypatch, *command) == 0
    return tmp_path / "run"


def test_a_run_is_measured_drawn_sampled_and_completed(trained, monkeypatch, capsys):
    assert ebmlab(monkeypatch, "evaluate", trained, "--limit", "64") == 0
    found = json.loads((trained / "evaluation.json").read_text())
    assert found["settings"]["data"] == "digits"
    wanted = ("Fréchet distance", "precision of samples", "E(z) of samples", "nearest training")
    assert all(any(want in name for name in found["numbers"]) for want in wanted)
    capsys.readouterr()
    assert ebmlab(monkeypatch, "plot", trained) == 0
    assert ebmlab(monkeypatch, "sample", trained, "--n", "5") == 0
    assert ebmlab(monkeypatch, "inpaint", trained, "--mask", "left") == 0
    written = [line.rpartition("/")[2] for line in capsys.readouterr().out.split()]
    assert written == [
        "curves.png", "samples.png", "reconstructions.png", "energies.png", "samples-5.png",
        "samples-5.gif", "inpaint-left.png",
    ]  # fmt: skip
    with Image.open(trained / "samples-5.gif") as film:
        assert film.n_frames >= 1


def test_methods_without_pictures_and_wrong_names_are_told(trained, tmp_path, monkeypatch):
    other = tmp_path / "other"
    assert ebmlab(monkeypatch, "train", "pca", *TINY, "--dim", "2", "--out", other) == 0
    assert "methods that do: image_energy" in ebmlab(monkeypatch, "sample", other)
    assert "did you mean lower" in ebmlab(monkeypatch, "inpaint", trained, "--mask", "lowr")
    assert "ends in .png" in ebmlab(monkeypatch, "sample", trained, "--out", "a.jpg")
    with pytest.raises(ConfigurationError, match="leave --encoder out"):
        build(configured("image_energy", "digits", encoder="mlp", limit=64))


def test_each_mask_hides_its_part_and_hidden_pixels_are_never_looked_at():
    shares = {name: float(hidden(name, 8, 8).double().mean()) for name in MASKS}
    assert shares == {"lower": 0.5, "upper": 0.5, "left": 0.5, "right": 0.5, "center": 0.25}
    assert hidden("lower", 8, 8)[4:].all()
    assert hidden("right", 8, 8)[:, 4:].all()
    built = build(configured("image_energy", "digits", dim=4, limit=64))
    image, seen = built.images.test_images[0], ~hidden("lower", 8, 8)
    rngs = [torch.Generator().manual_seed(0) for _ in range(3)]
    first = answers(built, image, seen, 3, rngs[0])
    other = answers(built, torch.where(seen, image, 1 - image), seen, 3, rngs[1])
    torch.testing.assert_close(first, other, rtol=0, atol=0)
    moved = answers(built, 1 - image, seen, 3, rngs[2])
    assert not torch.equal(first, moved)
    assert decoded(built, first).shape == (3, 1, 8, 8)
