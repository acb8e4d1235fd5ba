"""`Texts`: runs that learn what a token may be from those around it."""

from pathlib import Path
from typing import final

import torch
from torch import Tensor

from ebmlab.runs._texts.numbers import text_findings, text_look
from ebmlab.runs._texts.pictures import draw_text, write_samples
from ebmlab.runs._texts.run import TextRun, text_run
from ebmlab.runs._texts.text_sets import FILES, TEXT_SETS, text_set
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Findings, Kind, Look, Samples, Sketch, Usual
from ebmlab.runs.order import Order
from ebmlab.runs.text_preset import LENGTH, TextPreset
from ebmlab.training.batches import Batch

__all__ = ["Texts"]

LOOKS = 50


@final
class Texts(Kind[TextRun, TextPreset], Samples[TextRun]):
    """Files of text; what counts is a softmax over all that a token can be."""

    noun = "texts"
    sets = TEXT_SETS
    elsewhere = FILES
    suffix = ".txt"

    def usual(self, method: str, data: str, batch_size: int, limit: int | None) -> Usual:
        """The preset's width, step size, and about as many steps."""
        preset = self.presets[method]
        n = len(text_set(data, limit).train) // LENGTH
        epochs = max(1, round(preset.steps / Order(n, batch_size, seed=0).epoch))
        return Usual(None, preset.dim, epochs, preset.lr)

    def build(self, config: Config, device: torch.device) -> TextRun:
        """As `text_run`."""
        return text_run(config, self.presets[config.method], device)

    def every(self, built: TextRun) -> int:
        """So that a run has some fifty records."""
        return max(1, built.config.epochs * built.order.epoch // LOOKS)

    def settles(self, built: TextRun) -> bool:
        """Nothing to fill or count before the first step."""
        return False

    def batch(self, built: TextRun, rows: Tensor, rng: torch.Generator) -> Batch:
        """As many windows, from anywhere in the text; an epoch has as many as lie side by side."""
        return built.preset.draw(built.texts.train, len(rows), rng)

    def watch(self) -> None:
        """`look` tells how it stands."""
        return

    def look(self, built: TextRun) -> Look:
        """As `text_look`."""
        return text_look(built)

    def measure(self, built: TextRun, data: str | None, limit: int | None) -> Findings:
        """As `text_findings`."""
        return text_findings(built, data, limit)

    def draw(self, built: TextRun, out: Path, sketch: Sketch) -> list[Path]:
        """As `draw_text`."""
        return draw_text(built, out, sketch)

    def sample(self, built: TextRun, out: Path, n: int, seed: int) -> list[Path]:
        """As `write_samples`."""
        return write_samples(built, out, n, seed)
