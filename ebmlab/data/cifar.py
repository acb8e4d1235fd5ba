"""CIFAR-10: small photographs of ten kinds of things."""

from pathlib import Path

import torch
from torch import Tensor

from ebmlab.data._files import DataFile
from ebmlab.errors import ConfigurationError, DataError

__all__ = ["cifar10"]

# SHA-256 of the files of the binary version.
_BATCHES = {
    "train": {
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    },
    "test": {"test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
}
_RECORD = 1 + 3 * 32 * 32


def cifar10(split: str, root: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """CIFAR-10: 50,000 photographs to train on, 10,000 to test, of ten kinds of things.

    The files of its binary version are looked for as by `images.mnist`, in the folder
    `cifar-10-batches-bin/`. They are published as one archive, which is not downloaded.

    Args, Raises: as in `images.mnist`.

    Returns:
        Images (n, 3, 32, 32), float32 in [0, 1], and labels (n,), int64.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    if split not in _BATCHES:
        raise ConfigurationError(f'split is {split!r}; it must be "train" or "test"')
    records = torch.cat(
        [
            _records(DataFile("cifar-10-batches-bin", name, None, sha256).content(root), name)
            for name, sha256 in _BATCHES[split].items()
        ]
    )
    images = records[:, 1:].reshape(-1, 3, 32, 32).float() / 255
    return images, records[:, 0].long()


def _records(content: bytes, name: str) -> Tensor:
    """Label and pixels of each image, (n, 3073) bytes."""
    if len(content) % _RECORD:
        raise DataError(f"{name} holds {len(content)} bytes, no multiple of {_RECORD} per image")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(-1, _RECORD)
