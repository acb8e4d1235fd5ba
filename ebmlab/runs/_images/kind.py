"""`Images`: runs that learn codes of images."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor

from ebmlab.metrics import Collapse
from ebmlab.runs._images.image_sets import FOLDERS, IMAGE_SETS
from ebmlab.runs._images.numbers import image_findings
from ebmlab.runs._images.online import image_watch
from ebmlab.runs._images.pictures import draw_images
from ebmlab.runs._images.run import ImageRun, image_run
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Encodes, Findings, Judges, Kind, Look, Sketch, Usual
from ebmlab.runs.preset import Preset
from ebmlab.training.batches import Batch
from ebmlab.training.watch import Watch

__all__ = ["Images"]

EPOCHS, RATE = 20, 1e-3


@final
class Images(Kind[ImageRun, Preset], Encodes[ImageRun], Judges[ImageRun]):
    """Images in [0, 1], seen in views, patches or halves; what counts is their codes."""

    noun = "images"
    sets = IMAGE_SETS
    elsewhere = FOLDERS

    def usual(self, method: str, data: str, batch_size: int, limit: int | None) -> Usual:
        """The preset's encoder and dim, and numbers that suit most."""
        preset = self.presets[method]
        return Usual(preset.encoder, preset.dim, EPOCHS, RATE)

    def build(self, config: Config, device: torch.device) -> ImageRun:
        """As `image_run`."""
        return image_run(config, self.presets[config.method], device)

    def every(self, built: ImageRun) -> int:
        """A tenth of an epoch, or 5 steps where it is short."""
        return max(5, built.order.epoch // 10)

    def settles(self, built: ImageRun) -> bool:
        """As the preset says."""
        return built.preset.settles

    def batch(self, built: ImageRun, rows: Tensor, rng: torch.Generator) -> Batch:
        """Images as the preset's feed shows them."""
        return built.preset.feed.draw(built.setting, rows, rng)

    def watch(self) -> Watch:
        """Codes collapse."""
        return Collapse()

    def look(self, built: ImageRun) -> Look:
        """Nothing beside the record."""
        return Look({}, None)

    def measure(self, built: ImageRun, data: str | None, limit: int | None) -> Findings:
        """As `image_findings`."""
        return image_findings(built, data, limit)

    def draw(self, built: ImageRun, out: Path, sketch: Sketch) -> list[Path]:
        """As `draw_images`."""
        return draw_images(built, out, sketch)

    def shown(self, built: ImageRun, n: int) -> Tensor:
        """Images, or what the method sees of them."""
        return built.preset.feed.shown(built.setting.images[:n])

    def online(self, built: ImageRun) -> Watch:
        """As `image_watch`, about once an epoch."""
        return image_watch(built, max(1, built.order.epoch // self.every(built)))
