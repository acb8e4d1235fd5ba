"""Pictures of the explorer's pages: `python tests/support/explorer_pictures.py docs/explorer`."""

import base64
import io
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from browser import Browser, browser
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
FRAMES, WIDTH = 36, 600


def draw(folder: Path) -> None:
    """Write a picture of each page, dark and light in turn, and a film of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    page = (files("ebmlab.cli") / "explorer.html").as_uri()
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as chromium:
        shot = Path(profile) / "shot.png"
        for k, (name, (address, steps)) in enumerate(SHOWN.items()):
            light = ("light", "dark")[k % 2]
            chromium.open(f"{page}{address}", prefers_color_scheme=light,
                          prefers_reduced_motion="reduce")  # fmt: skip
            chromium.tell(f"ebmlab.steps({steps})")
            chromium.picture(shot)
            with Image.open(shot) as whole:
                whole.convert("RGB").save(folder / f"{name}.webp", quality=85, method=6)
        chromium.open(f"{page}#shape", 1040, prefers_reduced_motion="reduce")
        film(chromium, folder / "film.webp")


def film(chromium: Browser, path: Path) -> None:
    """How six landscapes come about, the six pictures of the stage only."""
    frames = []
    for k in range(FRAMES):
        chromium.tell(f"ebmlab.steps({6 * (1 + k)})")
        coded = chromium.tell("document.getElementById('stage').toDataURL()").split(",")[1]
        with Image.open(io.BytesIO(base64.b64decode(coded))) as whole:
            # The curves below have 234 pixels; a few above are the page's.
            part = whole.convert("RGB").crop((0, -8, whole.width, whole.height - 234))
        part.paste(part.getpixel((0, 8)), (0, 0, part.width, 8))
        height = round(part.height * WIDTH / part.width)
        frames.append(part.resize((WIDTH, height), Image.Resampling.LANCZOS))
    times = [120] * (FRAMES - 1) + [3000]
    first, *others = frames
    first.save(path, save_all=True, append_images=others, duration=times, loop=0, quality=60)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
