import pytest
import torch
from torch import Tensor

from ebmlab.samplers import MALA, Langevin
from ebmlab.types import Chain


def bowl(y: Tensor) -> Tensor:
    """½ ‖y‖² of an event of any shape."""
    return 0.5 * y.square().reshape(len(y), -1).sum(1)


KERNELS = {"langevin": Langevin(0.3), "mala": MALA(0.8)}


BOTH = pytest.mark.parametrize("sampler", KERNELS.values(), ids=KERNELS)


def _same(one: Chain, two: Chain) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state, two.state, strict=True))
