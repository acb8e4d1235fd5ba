"""`Densities`: runs that shape an energy of points."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor

from ebmlab.runs._points.numbers import density_findings, density_look
from ebmlab.runs._points.pictures import draw_density
from ebmlab.runs._points.point_sets import POINT_SETS, point_set
from ebmlab.runs._points.run import DensityRun, density_run
from ebmlab.runs.config import Config
from ebmlab.runs.density_preset import DensityPreset
from ebmlab.runs.kind import Findings, Kind, Look, Sketch, Usual
from ebmlab.runs.order import Order
from ebmlab.training.batches import Batch

__all__ = ["Densities"]

STEPS, LOOKS = 3000, 24


@final
class Densities(Kind[DensityRun, DensityPreset]):
    """Points of the plane, or digits as vectors; what counts is exp(-E) / Z."""

    noun = "points"
    sets = POINT_SETS

    def usual(self, method: str, data: str, batch_size: int, limit: int | None) -> Usual:
        """The preset's step size, and about 3,000 steps."""
        n = len(point_set(data).limited(limit).points)
        epochs = max(1, round(STEPS / Order(n, batch_size, seed=0).epoch))
        return Usual(None, None, epochs, self.presets[method].lr)

    def build(self, config: Config, device: torch.device) -> DensityRun:
        """As `density_run`."""
        return density_run(config, self.presets[config.method], device)

    def every(self, built: DensityRun) -> int:
        """So that a run has two dozen records, each with a frame of its film."""
        return max(1, built.config.epochs * built.order.epoch // LOOKS)

    def settles(self, built: DensityRun) -> bool:
        """Nothing to fill or count before the first step."""
        return False

    def batch(self, built: DensityRun, rows: Tensor, rng: torch.Generator) -> Batch:
        """No x, and the points as y."""
        return None, built.points.points[rows]

    def watch(self) -> None:
        """`look` tells how it stands."""
        return

    def look(self, built: DensityRun) -> Look:
        """As `density_look`."""
        return density_look(built)

    def measure(self, built: DensityRun, data: str | None, limit: int | None) -> Findings:
        """As `density_findings`."""
        return density_findings(built, data, limit)

    def draw(self, built: DensityRun, out: Path, sketch: Sketch) -> list[Path]:
        """As `draw_density`."""
        return draw_density(built, out, sketch)
