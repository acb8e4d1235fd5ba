"""`ImageEnergies`: runs that shape an energy of images, and draw pictures from it."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor

from ebmlab.runs._image_energies.numbers import image_energy_findings
from ebmlab.runs._image_energies.pictures import draw_image_energy, draw_samples, fill_in
from ebmlab.runs._image_energies.run import ImageEnergyRun, image_energy_run
from ebmlab.runs._images.image_sets import IMAGE_SETS, image_set
from ebmlab.runs.config import Config
from ebmlab.runs.image_energy_preset import ImageEnergyPreset
from ebmlab.runs.kind import Findings, Inpaints, Kind, Look, Samples, Sketch, Usual
from ebmlab.runs.order import Order
from ebmlab.training.batches import Batch

__all__ = ["ImageEnergies"]

LOOKS = 24


@final
class ImageEnergies(
    Kind[ImageEnergyRun, ImageEnergyPreset], Samples[ImageEnergyRun], Inpaints[ImageEnergyRun]
):
    """Images in [0, 1]; what counts is what chains of the energy look like."""

    noun = "images"
    sets = IMAGE_SETS

    def usual(self, method: str, data: str, batch_size: int, limit: int | None) -> Usual:
        """The preset's dim and step size, and about as many steps."""
        preset, n = self.presets[method], len(image_set(data).limited(limit).images)
        epochs = max(1, round(preset.steps / Order(n, batch_size, seed=0).epoch))
        return Usual(None, preset.dim, epochs, preset.lr)

    def build(self, config: Config, device: torch.device) -> ImageEnergyRun:
        """As `image_energy_run`."""
        return image_energy_run(config, self.presets[config.method], device)

    def every(self, built: ImageEnergyRun) -> int:
        """So that a run has two dozen records."""
        return max(1, built.config.epochs * built.order.epoch // LOOKS)

    def settles(self, built: ImageEnergyRun) -> bool:
        """Nothing to fill or count before the first step."""
        return False

    def batch(self, built: ImageEnergyRun, rows: Tensor, rng: torch.Generator) -> Batch:
        """No x, and the images as y."""
        return None, built.images.images[rows]

    def watch(self) -> None:
        """Its terms tell how it stands."""
        return

    def look(self, built: ImageEnergyRun) -> Look:
        """Nothing beside the record."""
        return Look({}, None)

    def measure(self, built: ImageEnergyRun, data: str | None, limit: int | None) -> Findings:
        """As `image_energy_findings`."""
        return image_energy_findings(built, data, limit)

    def draw(self, built: ImageEnergyRun, out: Path, sketch: Sketch) -> list[Path]:
        """As `draw_image_energy`."""
        return draw_image_energy(built, out, sketch)

    def sample(self, built: ImageEnergyRun, out: Path, n: int, seed: int) -> list[Path]:
        """As `draw_samples`."""
        return draw_samples(built, out, n, seed)

    def inpaint(
        self, built: ImageEnergyRun, out: Path, mask: str, data: str | None, seed: int
    ) -> list[Path]:
        """As `fill_in`."""
        return fill_in(built, out, mask, data, seed)
