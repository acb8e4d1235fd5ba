"""The optimizers that runs know by name."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from ebmlab.runs.config import Config
from ebmlab.runs.names import named
from ebmlab.training import decayed, muon

__all__ = ["OPTIMIZERS", "optimizing"]

Parameters = list[nn.Parameter]
# Each of parameters, step size and weight decay.
OPTIMIZERS: Mapping[str, Callable[[Parameters, float, float], torch.optim.Optimizer]] = {
    "adamw": lambda p, lr, decay: torch.optim.AdamW(decayed(p, decay), lr=lr),
    "sgd": lambda p, lr, decay: torch.optim.SGD(decayed(p, decay), lr=lr, momentum=0.9),
    "muon": muon,
}


def optimizing(config: Config) -> Callable[[Parameters], torch.optim.Optimizer]:
    """What makes the optimizer that a run asks for.

    Raises:
        ConfigurationError: there is none of this name.
    """
    make = named("optimizer", config.optimizer, OPTIMIZERS)
    return lambda parameters: make(parameters, config.lr, config.weight_decay)
