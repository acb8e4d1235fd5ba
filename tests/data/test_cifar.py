import hashlib

import pytest
import torch

from ebmlab.data import cifar, cifar10
from ebmlab.errors import ConfigurationError, DataError

FOLDER = "cifar-10-batches-bin"


def batch(first):
    """Two images: a label, then red, green and blue planes by rows."""
    pixels = torch.arange(2 * 3072).reshape(2, 3072) % 256
    labels = torch.tensor([[first], [first + 1]])
    return bytes(torch.cat([labels, pixels], 1).to(torch.uint8).flatten().tolist())


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / FOLDER
    folder.mkdir()
    batches = {"train": {}, "test": {}}
    for number, (split, name) in enumerate(
        [("train", "data_batch_1.bin"), ("train", "data_batch_2.bin"), ("test", "test_batch.bin")]
    ):
        (folder / name).write_bytes(batch(3 * number))
        batches[split][name] = hashlib.sha256(batch(3 * number)).hexdigest()
    monkeypatch.setattr(cifar, "_BATCHES", batches)
    return tmp_path


def test_batches_become_images_by_planes_and_labels_in_order(root, monkeypatch):
    images, labels = cifar10("train", root)
    assert images.shape == (4, 3, 32, 32)
    assert labels.tolist() == [0, 1, 3, 4]
    assert labels.dtype == torch.int64
    # Red is the first 1,024 bytes, row by row; green follows.
    assert images[0, 0, 1, 2] == 34 / 255
    assert images[0, 1, 0, 5] == (1024 + 5) % 256 / 255
    monkeypatch.setenv("EBMLAB_DATA", str(root))
    assert cifar10("test")[1].tolist() == [6, 7]


def test_a_damaged_or_missing_file_is_named(root, monkeypatch):
    path = root / FOLDER / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match="SHA-256"):
        cifar10("test", root)
    path.unlink()
    with pytest.raises(DataError, match=rf"test_batch.bin; put .* into FOLDER/{FOLDER}/"):
        cifar10("test", root)
    monkeypatch.setenv("EBMLAB_CACHE", str(root / "cache"))
    monkeypatch.delenv("EBMLAB_DATA", raising=False)
    with pytest.raises(DataError, match="nowhere to be found"):
        cifar10("test")


def test_other_splits_are_refused():
    with pytest.raises(ConfigurationError, match="split is 'valid'"):
        cifar10("valid")
