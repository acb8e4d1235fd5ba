"""Points to push up: of the batch, the past, a density, corrupted data, or the model's chains."""

from ebmlab.negatives.batch import InBatch
from ebmlab.negatives.chains import FromData
from ebmlab.negatives.corrupted import Corrupted
from ebmlab.negatives.hard import Hard, Reweighted
from ebmlab.negatives.most_offending import MostOffending
from ebmlab.negatives.noise import Noise
from ebmlab.negatives.queue import Queue
from ebmlab.negatives.replay import Replay
from ebmlab.protocols import Negatives

__all__ = [
    "Corrupted",
    "FromData",
    "Hard",
    "InBatch",
    "MostOffending",
    "Negatives",
    "Noise",
    "Queue",
    "Replay",
    "Reweighted",
]
