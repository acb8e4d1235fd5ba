"""Images with labels: scikit-learn's digits, MNIST and Fashion-MNIST."""

from pathlib import Path

import torch
from torch import Tensor

from ebmlab.data._files import DataFile
from ebmlab.data.idx import decode_idx
from ebmlab.errors import ConfigurationError

__all__ = ["digits", "fashion_mnist", "mnist"]

# SHA-256 of the decompressed files: images and labels of each split.
_MNIST = {
    "train": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
_FASHION_MNIST = {
    "train": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "test": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
_PREFIX = {"train": "train", "test": "t10k"}


def digits() -> tuple[Tensor, Tensor]:
    """The 1,797 handwritten digits that come with scikit-learn; they need no file and no network.

    Returns:
        Images (1797, 1, 8, 8), float32 in [0, 1], and labels (1797,), int64.

    Example:
        >>> images, labels = digits()
        >>> images.shape, labels[:5]
        (torch.Size([1797, 1, 8, 8]), tensor([0, 1, 2, 3, 4]))

    Source: Alpaydin, Kaynak 1998, UCI "Optical recognition of handwritten digits" (its test part).
    """
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    return images, torch.as_tensor(labels, dtype=torch.int64)


def mnist(split: str, root: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """MNIST: 60,000 handwritten digits to train on, 10,000 to test.

    The files are looked for in root (a folder that holds `mnist/`; nowhere else if it is given),
    then in the folder that the environment variable EBMLAB_DATA names, then in a cache
    (EBMLAB_CACHE, by default ~/.cache/ebmlab), into which they are downloaded once. Their content
    is checked by SHA-256 each time.

    Args:
        split: "train" or "test".
        root: a data folder, or None.

    Returns:
        Images (n, 1, 28, 28), float32 in [0, 1], and labels (n,), int64.

    Raises:
        ConfigurationError: the split is neither "train" nor "test".
        DataError: a file is missing, damaged, or cannot be downloaded or stored.

    Source: LeCun, Bottou, Bengio, Haffner 1998.
    """
    return _load("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/", _MNIST, split, root)


def fashion_mnist(split: str, root: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST: articles of clothing of ten kinds, as large and as many as MNIST's digits.

    Args, Returns, Raises: as in `mnist`; the files are looked for in the folder `fashion-mnist/`.

    Source: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
    """
    url = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
    return _load("fashion-mnist", url, _FASHION_MNIST, split, root)


def _load(
    folder: str, url: str, hashes: dict[str, tuple[str, str]], split: str, root: str | Path | None
) -> tuple[Tensor, Tensor]:
    if split not in hashes:
        raise ConfigurationError(f'split is {split!r}; it must be "train" or "test"')
    names = (f"{_PREFIX[split]}-images-idx3-ubyte.gz", f"{_PREFIX[split]}-labels-idx1-ubyte.gz")
    images, labels = (
        decode_idx(DataFile(folder, name, url, sha256).content(root), name)
        for name, sha256 in zip(names, hashes[split], strict=True)
    )
    return images.unsqueeze(1).float() / 255, labels.long()
