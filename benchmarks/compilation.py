"""What the first compiled run of an energy costs, and of a further one of its kind.

Seconds of the processor, of this process and of the compilers that it starts, without what the
first compilation of all loads. An energy has a further one's program where they differ in
parameters, other tensors and step sizes; another plain number in Python, such as the height of a
double well, or another width, is another program. Nothing is taken from a cache on disk.
"""

import os
from collections.abc import Iterator

import torch
from measure import Row
from torch._inductor import config

from ebmlab import run
from ebmlab.energies import MLP, DoubleWell, Gaussian
from ebmlab.protocols import Sampler
from ebmlab.samplers import HMC, Langevin
from ebmlab.types import Potential

TOPIC = "compilation"


def rows(device: str, quick: bool) -> Iterator[Row]:
    """Langevin and HMC of small energies, 1,000 chains × 20 steps."""
    config.force_disable_caches = True
    y = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)).to(device)
    _spent(Langevin(0.01), Potential(lambda y: y.square().sum(-1)), y)
    bell = torch.eye(2, device=device)
    network = [MLP(2).to(device).given() for _ in range(2)]
    cases: list[tuple[str, Sampler, Potential]] = [
        ("Langevin, a Gaussian", Langevin(0.01), Gaussian(bell[0], bell).given()),
        ("Langevin, another Gaussian", Langevin(0.02), Gaussian(bell[1], 2 * bell).given()),
        ("Langevin, a network 2-128-128-1", Langevin(0.01), network[0]),
        ("Langevin, another network", Langevin(0.02), network[1]),
        ("Langevin, a double well", Langevin(0.01), DoubleWell(2.0).given()),
        ("Langevin, one of another height", Langevin(0.01), DoubleWell(3.0).given()),
        ("HMC, a network", HMC(0.1, 10), network[0]),
        ("HMC, another network", HMC(0.2, 10), network[1]),
    ]
    for name, sampler, u in cases[: 2 if quick else None]:
        yield Row(TOPIC, name, "compiled", _spent(sampler, u, y), 0.0, note="processor, once")


def _spent(sampler: Sampler, u: Potential, y: torch.Tensor) -> float:
    rng = torch.Generator(y.device).manual_seed(1)
    before = sum(os.times()[:4])
    run(sampler, u, y, steps=20, rng=rng, compile=True)
    return sum(os.times()[:4]) - before
