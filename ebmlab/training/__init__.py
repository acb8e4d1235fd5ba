"""The plain training loop and what comes before it, its guard and records, checkpoints."""

from ebmlab.training.checkpoint import load, save
from ebmlab.training.fit import fit
from ebmlab.training.lars import LARS
from ebmlab.training.players import Players
from ebmlab.training.proximal import ProximalGradient
from ebmlab.training.schedule import falling_cosine
from ebmlab.training.settle import settle

__all__ = [
    "LARS",
    "Players",
    "ProximalGradient",
    "falling_cosine",
    "fit",
    "load",
    "save",
    "settle",
]
