"""Folders of pictures of every mode, whole and broken, kept and read anew."""

import io
import json
import os

import numpy as np
import pytest
import torch
from picture_support import classes, gray, painted, put
from PIL import Image

from ebmlab import data
from ebmlab.data._folders.decoding import decoded
from ebmlab.data.folders import usual_size
from ebmlab.data.galleries import required_labels
from ebmlab.errors import ConfigurationError, DataError


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """A cache of its own for each test."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("EBMLAB_CACHE", str(place))
    return place


def kept(cache):
    """What the cache holds of pixels."""
    return sorted(cache.rglob("*.pixels"))


def deep(values, mode="I;16"):
    """A picture of sixteen bits and more."""
    return Image.fromarray(np.array(values, np.uint16 if mode == "I;16" else np.int32))


def seen_through():
    """Black, one half of which is transparent."""
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 4, 8))
    return picture


def palette():
    """A picture of two colors by number."""
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 255, 0, 51])
    return picture


HALF = [[255] * 4 + [0] * 4] * 8
# A picture, how many channels, and the pixels that come of it, (c, 8, 8) or broadcast to that.
MODES = {
    "gray": (gray(51, (8, 8)), 1, 51),
    "gray as color": (gray(51, (8, 8)), 3, 51),
    "color as gray": (Image.new("RGB", (8, 8), (255, 0, 51)), 1, (255 * 299 + 51 * 114) // 1000),
    "one bit": (Image.new("1", (8, 8), 1), 1, 255),
    "palette": (palette(), 3, [[[255]], [[0]], [[51]]]),
    "sixteen bits": (deep(np.full((8, 8), 51 * 257)), 1, 51),
    "sixteen of thirty-two bits": (deep(np.full((8, 8), 65535), "I"), 3, 255),
    "transparent": (seen_through(), 1, HALF),
    "transparent gray": (Image.merge("LA", (gray(0, (8, 8)), gray(0, (8, 8)))), 1, 255),
    "four inks": (Image.new("CMYK", (8, 8), (0, 255, 0, 0)), 3, [[[255]], [[0]], [[255]]]),
}


@pytest.mark.parametrize("case", MODES)
def test_every_mode_becomes_the_pixels_that_it_shows(case):
    picture, channels, pixels = MODES[case]
    expected = np.broadcast_to(np.array(pixels), (channels, 8, 8))
    np.testing.assert_array_equal(decoded(picture, 8, channels), expected)


@pytest.mark.parametrize("picture", [Image.new("F", (8, 8)), deep([[70000]], "I")])
def test_numbers_without_known_bounds_are_refused(picture):
    with pytest.raises(ValueError, match="its numbers"):
        decoded(picture, 8, 1)


def test_pictures_are_turned_upright_shrunk_and_cut_to_the_middle_square():
    rows = np.repeat(np.array([[0], [80], [160], [240]], np.uint8), 2, axis=0)
    tall = Image.fromarray(np.repeat(rows, 4, axis=1))
    assert decoded(tall, 4, 1)[0, :, 0].tolist() == [80, 80, 160, 160]
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: to be turned clockwise by a quarter
    file = io.BytesIO()
    tall.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    assert np.array_equal(decoded(Image.open(file), 4, 1), decoded(tall, 4, 1))
    plain = io.BytesIO()
    tall.transpose(Image.Transpose.ROTATE_90).save(plain, "PNG")
    assert not np.array_equal(decoded(Image.open(plain), 4, 1), decoded(tall, 4, 1))


def test_subfolders_are_classes_and_images_are_indexed_as_tensors_are(tmp_path):
    pictures = {"cat/b.png": gray(20), "cat/deeper/a.JPG": gray(30), "dog/c.bmp": gray(51)}
    others = {".hidden/d.png": gray(9), "cat/.e.png": gray(9), "notes.txt": b"no picture"}
    found = data.folder(put(tmp_path / "pets", pictures | others))
    assert (found.classes, found.images.shape) == (("cat", "dog"), (3, 1, 8, 8))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 1]
    levels = torch.tensor([20, 30, 51]) / 255
    assert torch.equal(found.images[:], levels[:, None, None, None].expand(3, 1, 8, 8))
    rows = torch.tensor([[2, 0], [1, 1]])
    assert torch.equal(found.images[rows], found.images[:][rows])
    assert torch.equal(found.images[-1], found.images[:][-1])
    part = found.images.part(torch.tensor([2, 0])).part(slice(1))
    assert torch.equal(part[:], found.images[2:])
    held = found.part(torch.tensor([2]))
    assert held.labels is not None
    assert held.labels.tolist() == [1]


def link(root):
    """A folder that holds a way back to itself, and one to nowhere."""
    (root / "a").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (["1.png", "2.png"], lambda root: None),
        (["only/1.png", "only/2.png"], lambda root: None),
        (["a/1.png", "b/2.png", "3.png"], lambda root: None),
        (["1.png", "2.png"], link),
        (["1.png", "2.png"], lambda root: os.mkfifo(root / "pipe.png")),
    ],
)
def test_where_subfolders_are_no_classes_labels_are_missing(tmp_path, names, more):
    put(tmp_path, dict.fromkeys(names, gray(9)))
    more(tmp_path)
    found = data.folder(tmp_path)
    assert (found.labels, found.classes, len(found.images)) == (None, (), len(names))
    with pytest.raises(ConfigurationError, match="a subfolder of its own"):
        required_labels(found.labels)


@pytest.mark.parametrize("cached", [True, False])
def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path, cached):
    classes(tmp_path, each=3)
    file = io.BytesIO()
    painted((64, 64)).save(file, "JPEG")
    put(tmp_path, {"dark/cut.jpg": file.getvalue()[:-500], "light/none.png": b""})
    if cached:
        with pytest.warns(UserWarning, match=r"2 of 8 images.*cut.jpg.*; light/none.png") as told:
            found = data.folder(tmp_path)
        assert (len(told), len(found.images)) == (1, 6)
        return
    with pytest.warns(UserWarning, match="1 of 8 images"):
        found = data.folder(tmp_path, cache=0)
    # Only reading tells that a picture ends too soon; the next stands in its place.
    with pytest.warns(UserWarning, match=r"1 of 8 images cannot be read: dark/cut.jpg") as told:
        shown = found.images[:]
    assert len(told) == 1
    assert torch.equal(shown[3], shown[4])
    assert torch.equal(found.images[3:4], shown[3:4])


@pytest.mark.parametrize(
    ("names", "told"), [({}, "no images"), ({"a.png": b"x"}, "1 of 1 images")]
)
def test_a_folder_without_images_is_told_of(tmp_path, names, told):
    with pytest.raises(DataError, match=told):
        data.folder(put(tmp_path, names))
    with pytest.raises(DataError, match="is no folder"):
        data.folder(tmp_path / "a.png")


def test_size_and_channels_follow_from_the_images_or_are_asked_for(tmp_path):
    put(
        tmp_path,
        {"a.png": gray(0, (39, 50)), "b.png": gray(0, (38, 90)), "c.png": gray(9, (90, 90))},
    )
    assert usual_size(tmp_path) == 36
    assert data.folder(tmp_path, size=10, channels=3).images.shape == (3, 3, 10, 10)
    put(tmp_path, {"d.png": painted((99, 99))})
    assert data.folder(tmp_path, cache=0).images.shape == (4, 3, 36, 36)
    for wrong in ({"size": 0}, {"channels": 2}):
        with pytest.raises(ConfigurationError):
            data.folder(tmp_path, **wrong)


def test_what_is_kept_is_used_again_and_equals_what_is_read_anew(tmp_path, cache):
    put(tmp_path, {f"{i}.png": painted((20 + i, 16), i) for i in range(5)})
    first = data.folder(tmp_path)
    (path,) = kept(cache)
    made = path.stat().st_mtime_ns
    again, anew = data.folder(tmp_path), data.folder(tmp_path, cache=0)
    assert path.stat().st_mtime_ns == made
    assert torch.equal(first.images[:], again.images[:])
    assert torch.equal(first.images[:], anew.images[:])
    # A byte less than they take, and they are read anew.
    assert data.folder(tmp_path, cache=5 * 3 * 16**2 - 1).about.endswith("read anew each time")
    assert data.folder(tmp_path, cache=5 * 3 * 16**2).about.endswith("kept in the cache")


def test_a_changed_folder_is_read_again_and_what_was_kept_goes(tmp_path, cache):
    put(tmp_path, {"a.png": gray(9), "b.png": gray(9)})
    data.folder(tmp_path)
    before = kept(cache)
    put(tmp_path, {"b.png": gray(51)})
    os.utime(tmp_path / "b.png", ns=(1, 1))
    assert float(data.folder(tmp_path).images[1].mean()) == pytest.approx(51 / 255)
    assert len(kept(cache)) == 1
    assert kept(cache) != before


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def forged(path):
    stored = json.loads(path.read_text())
    stored["known"]["broken"] = {"0.png": "no reason"}
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (".pixels", cut),
        (".pixels", flipped),
        (".json", cut),
        (".json", flipped),
        (".json", forged),
    ],
)
def test_damage_in_the_cache_is_found_and_made_good(tmp_path, cache, suffix, damage):
    put(tmp_path, {f"{i}.png": painted((16, 16), i) for i in range(3)})
    whole = data.folder(tmp_path).images[:]
    (path,) = (p for p in cache.rglob(f"*{suffix}") if p.stem == "3x16")
    damage(path)
    with pytest.warns(UserWarning, match="is damaged; it is made again"):
        assert torch.equal(data.folder(tmp_path).images[:], whole)
    assert torch.equal(data.folder(tmp_path).images[:], whole)


def test_a_damaged_survey_is_made_again(tmp_path, cache):
    put(tmp_path, {"a.png": gray(9)})
    data.folder(tmp_path)
    (path,) = cache.rglob("survey.json")
    flipped(path)
    assert data.folder(tmp_path).images.shape == (1, 1, 8, 8)


def test_a_cache_that_cannot_be_written_says_which_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set EBMLAB_CACHE"):
        data.folder(put(tmp_path / "pictures", {"a.png": gray(9)}))


def test_nothing_half_written_stays_and_what_the_killed_left_goes(tmp_path, cache, monkeypatch):
    put(tmp_path, {"a.png": gray(9), "b.png": gray(9)})
    usual_size(tmp_path)
    (place,) = (cache / "folders").iterdir()
    old, young = place / ".1x8.pixels.a.tmp", place / ".1x8.pixels.b.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ebmlab.data._folders.keeping.os.fsync", full)
        with pytest.raises(DataError, match="No space left on device"):
            data.folder(tmp_path)
    assert [path.name for path in place.glob(".*.tmp")] == [young.name]
    assert kept(cache) == []
    assert len(data.folder(tmp_path).images) == 2


def test_a_share_is_held_out_at_random_and_nothing_is_in_both(tmp_path):
    put(tmp_path, {f"{i:02}.png": gray(10 * i) for i in range(20)})
    rng = torch.Generator().manual_seed(0)
    parts = data.folder(tmp_path).split(0.25, rng)
    levels = [(part.images[:,][:, 0, 0, 0] * 25.5).round().tolist() for part in parts]
    assert [len(each) for each in levels] == [15, 5]
    assert sorted([*levels[0], *levels[1]]) == list(range(20))
    assert levels[0] != sorted(levels[0])
    with pytest.raises(DataError, match="at least 4"):
        data.folder(tmp_path).part(slice(3)).split(0.5, rng)
