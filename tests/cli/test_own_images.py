"""Runs on a folder of pictures, from the command line to the pictures of the run."""

import json
import os

import pytest
import torch
from cli_support import ebmlab
from picture_support import classes, gray, put
from PIL import Image

from ebmlab.errors import ConfigurationError, DataError
from ebmlab.runs import configured
from ebmlab.runs._images.image_sets import image_set
from ebmlab.runs.kinds import OFFERED, require_fit
from ebmlab.runs.restore import restore

FEW = ("--epochs", "1", "--batch-size", "8")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """A cache of its own, and a current folder that is not the checkout."""
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def test_a_run_on_a_folder_is_trained_gone_on_with_evaluated_and_drawn(
    tmp_path, monkeypatch, capsys
):
    classes(tmp_path / "shades")
    monkeypatch.chdir(tmp_path)
    train = ("train", "simclr", "--data", "shades", "--out", "run", *FEW)
    assert ebmlab(monkeypatch, *train) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert "shades: 16 images of 2 classes, 16 × 16, gray, kept in the cache; 2 of them" in said
    assert ebmlab(monkeypatch, *train, "--resume", "--epochs", "2") == 0
    # The run finds its images from any other folder.
    monkeypatch.chdir("/")
    assert ebmlab(monkeypatch, "evaluate", tmp_path / "run") == 0
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (found["settings"]["train"], found["settings"]["test"]) == (14, 2)
    # The dark and the light ones are told apart by any code, and by pixels.
    shares = [value for name, value in found["numbers"].items() if "accuracy" in name]
    assert len(shares) == 3
    assert ebmlab(monkeypatch, "plot", tmp_path / "run") == 0
    assert (tmp_path / "run" / "codes.png").exists()


@pytest.mark.parametrize("method", ["vae", "kmeans"])
def test_without_classes_what_needs_none_is_measured(tmp_path, monkeypatch, method):
    put(tmp_path / "plain", {f"{i}.png": gray(8 * i, (8, 8)) for i in range(30)})
    train = ("train", method, "--data", tmp_path / "plain", "--out", tmp_path / "run", *FEW)
    assert ebmlab(monkeypatch, *train, "--dim", "2") == 0
    assert ebmlab(monkeypatch, "evaluate", tmp_path / "run") == 0
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert not any("accuracy" in name for name in found["numbers"])
    assert "effective rank" in found["numbers"]
    assert found["advice"] is None
    assert ebmlab(monkeypatch, "plot", tmp_path / "run") == 0
    with pytest.raises(SystemExit, match="labels are needed"):
        raise SystemExit(
            ebmlab(monkeypatch, "train", "paws", "--data", tmp_path / "plain", "--out", "x", *FEW)
        )


def test_images_of_one_run_are_shown_to_another_in_its_size_and_colors(tmp_path, monkeypatch):
    classes(tmp_path / "shades")
    colored = {f"{name}/{i}.png": Image.new("RGB", (30, 20), name) for name in ("red", "blue")
               for i in range(6)}  # fmt: skip
    put(tmp_path / "colors", colored)
    run = tmp_path / "run"
    train = ("train", "vae", "--data", tmp_path / "shades", "--out", run)
    assert ebmlab(monkeypatch, *train, *FEW) == 0
    assert ebmlab(monkeypatch, "evaluate", run, "--data", tmp_path / "colors") == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["settings"]["test"] == 2


def test_what_is_held_out_is_a_tenth_always_the_same_or_a_folder_of_its_own(tmp_path):
    put(tmp_path / "all", {f"{c}/{i:02}.png": gray(i) for c in "ab" for i in range(30)})
    first, again = image_set(str(tmp_path / "all")), image_set(str(tmp_path / "all"))
    assert (len(first.images), len(first.test_images)) == (54, 6)
    assert torch.equal(first.test_images[:], again.test_images[:])
    assert first.labels is not None
    # The first few are of both classes.
    assert set(first.limited(20).labels.tolist()) == {0, 1}
    put(tmp_path / "two/train", {f"{c}/{i}.png": gray(i) for c in "abc" for i in range(4)})
    assert len(image_set(str(tmp_path / "two")).test_images) == 2
    bright = gray(200, (30, 30))
    put(tmp_path / "two/val", {f"{c}/{i}.jpg": bright for c in "bc" for i in range(2)})
    parts = image_set(str(tmp_path / "two"))
    assert (parts.images.shape, parts.test_images.shape) == ((12, 1, 8, 8), (4, 1, 8, 8))
    assert parts.test_labels is not None
    assert sorted(parts.test_labels.tolist()) == [1, 1, 2, 2]
    assert float(parts.test_images[:].min()) > 0.7
    put(tmp_path / "two/val", {"d/1.png": gray(9)})
    with pytest.raises(DataError, match="the classes d, which are not among"):
        image_set(str(tmp_path / "two"))


@pytest.mark.parametrize(
    ("method", "name", "told"),
    [
        ("simclr", "nowhere/at/all", "nowhere/at/all is no folder"),
        ("simclr", "shades.txt", "a file of text: choose --data digits"),
        ("vae", "shade", "data is 'shade'; there are"),
        ("next_word", "shades", "next_word learns texts, and shades is a folder of images"),
        ("nce", "shades", "nce learns points, and shades is a folder of images"),
        ("image_energy", "shades", "image_energy learns images, and shades is a folder of images"),
    ],
)
def test_names_that_are_no_folder_of_images_are_told_of(tmp_path, monkeypatch, method, name, told):
    put(tmp_path, {"shades/1.png": gray(9), "shades.txt": b"words"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigurationError, DataError), match=told):
        configured(method, name)


def test_a_folder_may_be_called_as_a_set_is_if_it_is_written_as_a_place(tmp_path, monkeypatch):
    put(tmp_path, {"digits/1.png": gray(9)})
    monkeypatch.chdir(tmp_path)
    assert configured("vae", "digits").size is None
    config = configured("vae", "./digits")
    assert (config.size, config.data) == (8, os.fspath(tmp_path / "digits"))
    with pytest.raises(ConfigurationError, match="digits is no folder of images"):
        configured("vae", "digits", size=8)


def test_every_method_of_images_takes_a_folder(tmp_path):
    put(tmp_path, {"1.png": gray(9)})
    takes = [name for name, kind in OFFERED.items() if kind.takes(str(tmp_path))]
    assert takes
    for method in takes:
        require_fit(method, str(tmp_path))


def test_pixels_are_not_copied_into_a_run(tmp_path, monkeypatch):
    classes(tmp_path / "shades", each=40)
    run = ("train", "simclr", "--data", tmp_path / "shades", "--out", tmp_path / "run", *FEW)
    assert ebmlab(monkeypatch, *run) == 0
    _, built, _ = restore(tmp_path / "run")
    held = [x for x in vars(built.setting).values() if isinstance(x, torch.Tensor)]
    assert all(x.ndim == 1 for x in held)
    assert not isinstance(built.images.images, torch.Tensor)
