import pytest
import torch
from problems import (
    generator,
    randn,
)
from torch import Tensor

from ebmlab.samplers import MALA, Langevin, run
from ebmlab.types import Chain, State


def bowl(y: Tensor) -> Tensor:
    """½ ‖y‖² of an event of any shape."""
    return 0.5 * y.square().reshape(len(y), -1).sum(1)


KERNELS = {"langevin": Langevin(0.3), "mala": MALA(0.8)}


BOTH = pytest.mark.parametrize("sampler", KERNELS.values(), ids=KERNELS)


def _chains(sampler, steps: int, thin: int = 0, start: Tensor | State | None = None, **options):
    rng = options.pop("rng", generator(11))
    start = randn(6, 2, seed=10) if start is None else start
    return run(sampler, bowl, start, steps=steps, rng=rng, thin=thin, **options)


def _same(one: Chain, two: Chain) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state, two.state, strict=True))
