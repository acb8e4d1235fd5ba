"""Folders of pictures, whole and broken."""

import numpy as np
from PIL import Image


def gray(level, size=(12, 10)):
    """One gray level; width comes first."""
    return Image.new("L", size, level)


def painted(size=(16, 16), seed=0):
    """Random colors."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def put(folder, pictures):
    """Write pictures, or bytes, under their names."""
    for name, picture in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture.save(path)
    return folder


def classes(folder, each=8, size=(16, 16)):
    """Two classes, one dark and one bright, of small gray pictures with some noise."""
    rng = np.random.default_rng(0)
    pictures = {
        f"{name}/{i}.png": Image.fromarray(rng.integers(low, low + 100, size, np.uint8))
        for name, low in (("dark", 0), ("light", 150))
        for i in range(each)
    }
    return put(folder, pictures)
