"""The plain training loop and what comes before it, its guard and records, checkpoints."""

from ebmlab.training.batches import Batch, Data
from ebmlab.training.checkpoint import Restored, load, save
from ebmlab.training.fit import Fit, fit
from ebmlab.training.guard import Guard
from ebmlab.training.schedule import Schedule, falling_cosine
from ebmlab.training.settle import settle
from ebmlab.training.watch import Watch

__all__ = [
    "Batch",
    "Data",
    "Fit",
    "Guard",
    "Restored",
    "Schedule",
    "Watch",
    "falling_cosine",
    "fit",
    "load",
    "save",
    "settle",
]
