"""Pictures of the explorer's pages: `python tests/support/explorer_pictures.py docs/explorer`."""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from browser import browser
from PIL import Image

# How many steps a page has gone when it is shown.
SHOWN = {
    "shape": ("#shape", 6000),
    "many": ("#many", 1000),
    "temperature": ("#temperature?t=-0.2", 1),
    "collapse": ("#collapse", 60),
    "cured": ("#collapse?cured=1", 600),
    "walkers": ("#walkers", 600),
    "tempering": ("#walkers?sampler=tempering", 600),
}


def draw(folder: Path) -> None:
    """Write each page as it stands after its steps, in 256 colors, dark and light in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    page = (files("ebmlab.cli") / "explorer.html").as_uri()
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as chromium:
        for k, (name, (address, steps)) in enumerate(SHOWN.items()):
            light = ("light", "dark")[k % 2]
            chromium.open(f"{page}{address}", prefers_color_scheme=light,
                          prefers_reduced_motion="reduce")  # fmt: skip
            chromium.tell(f"ebmlab.steps({steps})")
            path = folder / f"{name}.png"
            chromium.picture(path)
            with Image.open(path) as whole:
                whole.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
                    path, optimize=True
                )


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
