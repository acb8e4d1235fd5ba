"""Points to push up: from the batch, from a density, or from the model's own chains."""

from ebmlab.negatives.batch import InBatch
from ebmlab.negatives.chains import FromData
from ebmlab.negatives.noise import Noise
from ebmlab.negatives.replay import Replay
from ebmlab.protocols import Negatives

__all__ = ["FromData", "InBatch", "Negatives", "Noise", "Replay"]
