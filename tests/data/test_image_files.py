"""Files of pictures with every fault injected."""

import errno
import gzip
import hashlib
import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from data_support import idx_bytes

from ebmlab.data import _files, fashion_mnist, images, mnist
from ebmlab.errors import DataError

PIXELS = np.arange(5 * 28 * 28).reshape(5, 28, 28) % 256
LABELS = np.array([3, 1, 4, 1, 5])
SMALL = {
    "train-images-idx3-ubyte.gz": idx_bytes(PIXELS),
    "train-labels-idx1-ubyte.gz": idx_bytes(LABELS),
}
RAW = {name: gzip.compress(content, mtime=0) for name, content in SMALL.items()}
NAMES = list(RAW)


class Mirror:
    """Stands in for the network: serves RAW, what `faulty` says first, and keeps count."""

    def __init__(self):
        self.urls = []
        self.faulty = []

    def __call__(self, url):
        self.urls.append(url)
        return self.faulty.pop(0) if self.faulty else RAW[url.rpartition("/")[2]]


@pytest.fixture
def mirror(monkeypatch, tmp_path):
    """A training split of five pictures, an empty cache, no data folder, and no network."""
    hashes = tuple(hashlib.sha256(content).hexdigest() for content in SMALL.values())
    monkeypatch.setattr(images, "_MNIST", {"train": hashes})
    monkeypatch.setattr(images, "_FASHION_MNIST", {"train": hashes})
    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "cache"))
    mirror = Mirror()
    monkeypatch.setattr(_files.DataFile, "_fetched", lambda file, url: mirror(url))
    return mirror


def put(folder, contents=RAW, data_set="mnist"):
    (folder / data_set).mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / data_set / name).write_bytes(content)
    return folder


def is_the_small_set(loaded):
    pictures, labels = loaded
    assert pictures.shape == (5, 1, 28, 28)
    assert (pictures.dtype, labels.dtype) == (torch.float32, torch.int64)
    expected = torch.as_tensor(PIXELS, dtype=torch.float32) / 255
    return torch.equal(pictures[:, 0], expected) and labels.tolist() == LABELS.tolist()


def test_root_comes_before_the_variable_before_the_cache(mirror, monkeypatch, tmp_path):
    root = put(tmp_path / "root")
    wrong = put(tmp_path / "wrong", dict.fromkeys(NAMES, b"wrong"))
    monkeypatch.setenv("EBMLAB_DATA", str(wrong))
    assert is_the_small_set(mnist("train", root))
    monkeypatch.setenv("EBMLAB_DATA", str(root))
    assert is_the_small_set(mnist("train"))
    assert mirror.urls == []
    assert not (tmp_path / "cache").exists()
    monkeypatch.delenv("EBMLAB_DATA")
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 2


def test_any_gzip_of_the_same_data_and_none_at_all_are_as_good(mirror, tmp_path):
    slow = {name: gzip.compress(content, 1, mtime=7) for name, content in SMALL.items()}
    assert slow != RAW
    assert is_the_small_set(mnist("train", put(tmp_path / "slow", slow)))
    parts = {n: gzip.compress(c[:9]) + gzip.compress(c[9:]) for n, c in SMALL.items()}
    assert is_the_small_set(mnist("train", put(tmp_path / "parts", parts)))
    plain = {name.removesuffix(".gz"): content for name, content in SMALL.items()}
    assert is_the_small_set(mnist("train", put(tmp_path / "plain", plain)))


def test_files_are_downloaded_once_each_from_their_own_place(mirror, tmp_path):
    assert is_the_small_set(mnist("train"))
    assert is_the_small_set(mnist("train"))
    assert mirror.urls == [
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}" for name in NAMES
    ]
    assert is_the_small_set(fashion_mnist("train"))
    assert len(mirror.urls) == 4
    assert mirror.urls[2].startswith("https://github.com/zalandoresearch/fashion-mnist/raw/")
    kept = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert kept == {f"cache/{folder}/{n}" for folder in ("mnist", "fashion-mnist") for n in NAMES}


def test_a_data_folder_that_lacks_the_set_leads_to_the_cache(mirror, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path / "data"))
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 2


def test_a_data_folder_that_does_not_exist_is_refused(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("EBMLAB_DATA", str(tmp_path / "tpyo"))
    with pytest.raises(DataError, match=r"EBMLAB_DATA is .*tpyo"):
        mnist("train")
    assert mirror.urls == []


def test_a_root_without_the_file_is_refused_and_nothing_is_fetched(mirror, tmp_path):
    with pytest.raises(DataError, match=r"mnist/train-images-idx3-ubyte\.gz.*EBMLAB_DATA"):
        mnist("train", tmp_path)
    assert mirror.urls == []


def flipped(content):
    changed = bytearray(content)
    changed[-1] ^= 1
    return gzip.compress(bytes(changed), mtime=0)


@pytest.mark.parametrize("by_root", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_in_a_given_folder_is_refused_by_name(
    mirror, monkeypatch, tmp_path, name, by_root
):
    folder = put(tmp_path / "data", RAW | {name: flipped(SMALL[name])})
    monkeypatch.setenv("EBMLAB_DATA", str(folder))
    with pytest.raises(DataError, match="SHA-256") as caught:
        mnist("train", folder if by_root else None)
    assert str(folder / "mnist" / name) in str(caught.value)
    assert mirror.urls == []


@pytest.mark.parametrize("bad", [flipped(SMALL[NAMES[0]]), RAW[NAMES[0]][:-5], b"<html>", b""])
def test_a_damaged_download_is_fetched_again_once(mirror, bad):
    mirror.faulty = [bad]
    assert is_the_small_set(mnist("train"))
    assert [url.rpartition("/")[2] for url in mirror.urls] == [NAMES[0], NAMES[0], NAMES[1]]


@pytest.mark.parametrize("bad", [flipped(SMALL[NAMES[0]]), RAW[NAMES[0]][:-5]])
def test_a_download_damaged_twice_is_refused_and_not_kept(mirror, tmp_path, bad):
    mirror.faulty = [bad, bad, bad]
    with pytest.raises(DataError, match=r"https://.*train-images"):
        mnist("train")
    assert len(mirror.urls) == 2
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_damaged_cache_is_fetched_again(mirror, tmp_path):
    mnist("train")
    path = tmp_path / "cache" / "mnist" / NAMES[1]
    path.write_bytes(flipped(SMALL[NAMES[1]]))
    assert is_the_small_set(mnist("train"))
    assert len(mirror.urls) == 3
    assert path.read_bytes() == RAW[NAMES[1]]


def test_a_cache_that_cannot_be_made_is_refused_before_anything_is_fetched(
    mirror, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set EBMLAB_CACHE"):
        mnist("train")
    assert mirror.urls == []


def test_a_read_only_cache_is_refused_unless_it_holds_the_files(mirror, monkeypatch):
    mnist("train")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "read-only")

    monkeypatch.setattr(Path, "touch", refuse)
    assert is_the_small_set(mnist("train"))
    with pytest.raises(DataError, match=r"read-only.*set EBMLAB_CACHE"):
        fashion_mnist("train")


def test_a_full_disk_leaves_no_partial_file(mirror, monkeypatch, tmp_path):
    def full(_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"no space left.*EBMLAB_CACHE"):
        mnist("train")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_user_without_a_home_is_told_which_variable_to_set(mirror, monkeypatch):
    def homeless(_):
        raise RuntimeError("could not determine home directory")

    monkeypatch.delenv("EBMLAB_CACHE")
    monkeypatch.setattr(Path, "expanduser", homeless)
    with pytest.raises(DataError, match="EBMLAB_CACHE"):
        mnist("train")


def test_no_files_and_no_network_says_how_to_get_them(monkeypatch, tmp_path):
    def unplugged(*_, **__):
        raise URLError("unreachable")

    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    monkeypatch.setenv("EBMLAB_CACHE", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", unplugged)
    with pytest.raises(DataError, match=r"cannot be downloaded.*EBMLAB_DATA.*root"):
        mnist("train")


def test_fetch_returns_the_bytes_behind_an_address(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert _files.DataFile("", "", None, "")._fetched((tmp_path / "file").as_uri()) == b"content"
