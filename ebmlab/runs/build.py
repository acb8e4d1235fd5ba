"""From the arguments of a run to its parts."""

import torch

from ebmlab._checks import named_device
from ebmlab.runs.config import Config
from ebmlab.runs.kind import Built
from ebmlab.runs.kinds import kind_of, require_fit

__all__ = ["build"]


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
