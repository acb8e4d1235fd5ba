"""The plain training loop and what comes before it, its guard and records, checkpoints."""

from ebmlab.training.checkpoint import load, save
from ebmlab.training.checkpoints import Checkpoints
from ebmlab.training.decayed import decayed, muon
from ebmlab.training.fit import fit
from ebmlab.training.players import Players
from ebmlab.training.proximal import ProximalGradient
from ebmlab.training.ranks import join
from ebmlab.training.recording import Recording
from ebmlab.training.scale import Scale
from ebmlab.training.schedule import falling_cosine
from ebmlab.training.settle import settle
from ebmlab.training.stepping import Stepping

__all__ = [
    "Checkpoints",
    "Players",
    "ProximalGradient",
    "Recording",
    "Scale",
    "Stepping",
    "decayed",
    "falling_cosine",
    "fit",
    "join",
    "load",
    "muon",
    "save",
    "settle",
]
