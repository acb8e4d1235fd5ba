"""A joint embedding of real digits, trained once a process, and counting encoders."""

from functools import cache
from typing import NamedTuple

import torch
from problems import generator
from torch import Tensor, nn

from ebmlab import Method, fit, methods
from ebmlab.data import digits
from ebmlab.data.views import Compose, Crop, Noise, Pair, Rotate

PAIR = Pair(Compose((Crop(8, (0.5, 1.0)), Rotate(15.0), Noise(0.05))))
UNKNOWN = 7


class Trained(NamedTuple):
    """SimCLR of digits without sevens, and digits of all kinds that it has not seen."""

    method: Method
    images: Tensor
    labels: Tensor


@cache
def simclr() -> Trained:
    images, labels = digits()
    order = torch.randperm(len(images), generator=generator())
    images, labels = images[order], labels[order]
    seen = images[:1200][labels[:1200] != UNKNOWN]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32)
        f = nn.Sequential(nn.Flatten(), *layers)
        method = methods.simclr(f, 32, projection=16, temperature=0.2, x_ndim=3)

    def batches(n: int, rng: torch.Generator):
        views = PAIR(seen[torch.randint(len(seen), (n,), generator=rng)], rng)
        return views, views

    fit(method, batches, steps=120, batch_size=128, lr=5e-3, rng=generator())
    return Trained(method.eval(), images[1200:], labels[1200:])


class Counting(nn.Module):
    """A linear encoder that knows how many rows it has seen."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs).double()
        self.rows = 0

    def forward(self, y: Tensor) -> Tensor:
        self.rows += len(y)
        return self.linear(y)
