"""Points to push up: from the batch, from the past, from a density, or from the model's chains."""

from ebmlab.negatives.batch import InBatch
from ebmlab.negatives.chains import FromData
from ebmlab.negatives.hard import Hard, Reweighted
from ebmlab.negatives.noise import Noise
from ebmlab.negatives.queue import Queue
from ebmlab.negatives.replay import Replay
from ebmlab.protocols import Negatives

__all__ = ["FromData", "Hard", "InBatch", "Negatives", "Noise", "Queue", "Replay", "Reweighted"]
