"""The plain training loop and what comes before it, its guard and records, checkpoints."""

from ebmlab.training.batches import Batch
from ebmlab.training.checkpoint import Restored, load, save
from ebmlab.training.fit import Fit, fit
from ebmlab.training.schedule import falling_cosine
from ebmlab.training.settle import settle

__all__ = ["Batch", "Fit", "Restored", "falling_cosine", "fit", "load", "save", "settle"]
