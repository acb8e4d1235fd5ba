"""Tar shards and data sets of Hugging Face; skipped where their packages are not installed."""

import io
import sys
import tarfile

import pytest
import torch
from picture_support import gray, painted

from ebmlab import _ranks, data
from ebmlab.errors import ConfigurationError, DataError

# webdataset leaves the files that it has read to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{each}")
    for each in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning")
]


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def tar(path, members):
    """A tar file of named bytes."""
    with tarfile.open(path, "w") as file:
        for name, raw in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            file.addfile(info, io.BytesIO(raw))


@pytest.fixture
def files(tmp_path):
    """Four tar files of five gray levels each, 0 … 19, of the classes 0 and 1."""
    pytest.importorskip("webdataset")
    for k in range(4):
        members = {}
        for i in range(5 * k, 5 * k + 5):
            members |= {f"{i:02}.png": png(gray(10 * i)), f"{i:02}.cls": str(i % 2).encode()}
        tar(tmp_path / f"part-{k}.tar", members)
    return str(tmp_path / "part-{0..3}.tar")


def levels(batches):
    """Which of the images batches hold, and their labels."""
    images = torch.cat([x for x, _ in batches])
    return (images[:, 0, 0, 0] * 25.5).round().int().tolist(), torch.cat([y for _, y in batches])


def test_each_image_comes_once_an_epoch_in_another_order_each_time(files):
    source = data.shards(files, size=8, channels=1, batch_size=6, memory=5)
    first, second = (levels(list(source)) for _ in range(2))
    assert sorted(first[0]) == sorted(second[0]) == list(range(20))
    assert first[0] != second[0]
    assert torch.equal(first[1], torch.tensor(first[0]) % 2)
    again = data.shards(files, size=8, channels=1, batch_size=6, memory=5)
    assert levels(list(again))[0] == first[0]
    assert [len(y) for _, y in again] == [6, 6, 6, 2]
    ordered = data.shards(files, size=8, channels=1, memory=1)
    found, _ = levels(list(ordered))
    assert all(found[i : i + 5] == list(range(found[i], found[i] + 5)) for i in (0, 5, 10, 15))


def test_ranks_share_the_files_and_have_batches_of_one_size(files, monkeypatch):
    seen = []
    monkeypatch.setattr(_ranks, "rank_count", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(_ranks, "rank_number", lambda rank=rank: rank)
        batches = list(data.shards(files, size=8, channels=1, batch_size=5))
        assert [len(y) for _, y in batches] == [5, 5]
        seen += levels(batches)[0]
    assert sorted(seen) == list(range(20))
    monkeypatch.setattr(_ranks, "rank_count", lambda: 5)
    with pytest.raises(ConfigurationError, match="5 ranks share 4 tar files"):
        next(iter(data.shards(files)))


def test_what_cannot_be_read_is_named_once_an_epoch_and_batches_stay_full(tmp_path):
    pytest.importorskip("webdataset")
    path = tmp_path / "a.tar"
    members = {f"{i}.png": png(gray(10 * i)) for i in range(6)}
    tar(path, members | {"2.png": b"torn", "7.json": b"{}"})
    source = data.shards([str(path)], size=8, batch_size=4)
    told = r"2 images in tar files .*: 2 \(no known format\); 7 \(no image among json\)"
    with pytest.warns(UserWarning, match=told) as warned:
        batches = list(source)
    assert len([each for each in warned if each.category is UserWarning]) == 1
    assert [(x, tuple(y.shape)) for x, y in batches] == [
        (None, (4, 3, 8, 8)),
        (None, (1, 3, 8, 8)),
    ]


@pytest.mark.parametrize("damage", [lambda raw: raw[:700], lambda raw: b"no tar" * 200, None])
def test_a_damaged_or_missing_tar_file_is_a_typed_error(tmp_path, damage):
    pytest.importorskip("webdataset")
    path = tmp_path / "a.tar"
    if damage is not None:
        tar(path, {"0.png": png(painted((30, 30)))})
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.tar"):
        list(data.shards(str(path), size=8))


def test_a_data_set_of_hugging_face_is_a_gallery():
    datasets = pytest.importorskip("datasets")
    columns = {"image": [gray(10 * i) for i in range(5)], "label": [0, 1, 0, 1, 1]}
    names = datasets.ClassLabel(names=["a", "b"])
    features = datasets.Features(image=datasets.Image(), label=names)
    whole = datasets.Dataset.from_dict(columns, features=features)
    found = data.from_datasets(whole, size=8, channels=1)
    assert (found.images.shape, found.classes) == ((5, 1, 8, 8), ("a", "b"))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 0, 1, 1]
    rows = torch.tensor([3, 0])
    assert (found.images[rows][:, 0, 0, 0] * 25.5).round().tolist() == [3, 0]
    assert data.from_datasets(whole.remove_columns("label")).labels is None
    with pytest.raises(ConfigurationError, match="name the one that is an Image"):
        data.from_datasets(whole, image="picture")
    with pytest.raises(ConfigurationError, match='split="train"'):
        data.from_datasets(datasets.DatasetDict(train=whole))


@pytest.mark.parametrize(
    ("package", "call"),
    [("webdataset", lambda: data.shards("a.tar")), ("datasets", lambda: data.from_datasets(None))],
)
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"{package} is not installed: pip install ebml"):
        call()
