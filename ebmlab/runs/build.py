"""From the arguments of a run to its parts, and to the batches that it sees."""

import torch

from ebmlab._checks import named_device
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import kind_of, require_fit
from ebmlab.training.batches import Batch

__all__ = ["Batches", "build"]


class Batches:
    """The batches of a run after its first `start` steps: what `fit` draws from."""

    def __init__(self, built: Built, start: int = 0) -> None:
        self.built, self.step = built, start
        self._kind = kind_of(built.config.method)

    def __call__(self, n: int, rng: torch.Generator) -> Batch:
        """The next batch; its views are drawn with rng."""
        rows = self.built.order.rows(self.step).to(self.built.device)
        self.step += 1
        return self._kind.batch(self.built, rows, rng)


def build(config: Config, device: str | None = None) -> Built:
    """The parts of a run as it starts, on the config's device or another.

    The same config gives the same weights.

    Raises:
        ConfigurationError: an unknown name, data that the method does not learn, an encoder or a
            batch that does not fit, no such device.
        DataError: the data are missing.
    """
    require_fit(config.method, config.data)
    where = named_device(device or config.device)
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(config.seed)
        return kind_of(config.method).build(config, where)
