"""Exact inference beside what one would write by hand, and K-means beside scikit-learn.

    python benchmarks/run.py --topic exact --out benchmarks/results/exact_cpu.json

Seconds are those of the processor, which other work on the machine disturbs less than those of
the clock. By hand, squared distances are products of matrices in single precision that no one
checks again, or all differences, (n, K, d). In the note is how far results lie apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from assignments import cosines, official
from measure import Row, Time, compared, race, race_of_processor
from torch import Tensor, nn

from ebmlab import FreeEnergy, FunctionEnergy, methods
from ebmlab.energies import Clusters, Reconstruction
from ebmlab.inference import Enumerate
from ebmlab.inference._clusters.sinkhorn import balanced

__all__ = ["rows"]

TOPIC, TEMPERATURE = "exact", 0.5

Contenders = dict[str, Callable[[], Tensor]]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """K-means, free energies, reconstructions and their gradients, a small Sinkhorn."""
    n = 200 if quick else 1000
    turns = 3 if quick else 15
    torch.manual_seed(0)
    yield from _kmeans(device, quick, turns)
    cases = {
        f"FreeEnergy(Enumerate) of a function, {n} × {n}": _function(n, device),
        f"FreeEnergy(Enumerate) of Clusters, {n} × {n}, d = 16": _clusters(n, 16, device),
    }
    for d in (2, 32):
        for temperature in (0.0, TEMPERATURE):
            case = f"Reconstruction, {n} × {n}, d = {d}, T = {temperature:g}, with gradient"
            cases[case] = _reconstruction(n, d, temperature, device)
    logits = cosines(256, 300).to(device)
    cases["Sinkhorn, 256 × 300"] = {
        "ebmlab": lambda: balanced(logits)[0],
        "official form": lambda: official(logits),
    }
    for case, contenders in cases.items():
        for row in compared(TOPIC, case, "ebmlab", _raced(contenders, device, turns)):
            yield replace(row, note=_apart(contenders["ebmlab"](), contenders[row.peer]()))


def _raced(contenders: Contenders, device: str, turns: int) -> dict[str, Time]:
    if device != "cpu":
        return race(contenders, device, turns)
    return race_of_processor(contenders, turns, calls=5)


def _apart(ours: Tensor, theirs: Tensor) -> str:
    return f"largest difference {float((ours - theirs).abs().max()):.1e}"


def _kmeans(device: str, quick: bool, turns: int) -> Iterator[Row]:
    """Ten of Lloyd's steps on ten thousand points about a hundred centers, from one start."""
    from sklearn.cluster import KMeans

    n, k, d, steps = (1000, 20, 32, 10) if quick else (10_000, 100, 32, 10)
    means = 2 * torch.randn(k, d)
    y = means[torch.randint(k, (n,))] + torch.randn(n, d)
    start, own = y[:k].clone(), y.to(device)

    def ours() -> Tensor:
        method = methods.kmeans(start.to(device))
        for _ in range(steps):
            method(None, own).commit()
        return method.get_buffer("energy.energy.codebook.codes").cpu()

    def theirs() -> Tensor:
        # Its annotations know the defaults only.
        lloyd: Any = KMeans
        judge = lloyd(k, init=start.numpy(), n_init=1, max_iter=steps, tol=0, algorithm="lloyd")
        return torch.from_numpy(judge.fit(y.numpy()).cluster_centers_)

    contenders = {"ebmlab": ours, "scikit-learn": theirs}
    times = race_of_processor(contenders, turns) if device == "cpu" else race(contenders, device)
    case = f"k-means, {n} × {d}, K = {k}, {steps} steps"
    for row in compared(TOPIC, case, "ebmlab", times):
        yield replace(row, note=_apart(times["ebmlab"].result, times["scikit-learn"].result))


def _by_hand(energies: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """-T log mean exp(-E / T) over the last dimension."""
    mean = torch.tensor(float(energies.shape[-1])).log()
    return -temperature * ((energies / -temperature).logsumexp(-1) - mean)


def _function(n: int, device: str) -> Contenders:
    """(y - z)² of numbers y and z."""
    y, z = (torch.randn(n, 1, device=device) for _ in range(2))
    energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), variables=("y", "z"))
    free = FreeEnergy(energy, Enumerate(z), TEMPERATURE)
    return {
        "ebmlab": lambda: free(None, y),
        "by hand": lambda: _by_hand((y[:, None] - z).square().sum(-1)),
    }


def _clusters(n: int, d: int, device: str) -> Contenders:
    """‖y - c‖² of points and centers."""
    y, centers = (torch.randn(n, d, device=device) for _ in range(2))
    free = FreeEnergy(Clusters(centers), Enumerate(torch.arange(n, device=device)), TEMPERATURE)
    return {
        "ebmlab": lambda: free(None, y),
        "by hand": lambda: _by_hand(torch.cdist(y, centers).square()),
    }


def _reconstruction(n: int, d: int, temperature: float, device: str) -> Contenders:
    """‖g(z) - y‖² of points and a curve g of a network, and the slopes of its weights."""
    decoder = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, d)).to(device)
    z = torch.linspace(-3, 3, n, device=device)[:, None]
    y = torch.randn(n, d, device=device)
    free = FreeEnergy(Reconstruction(decoder, takes_x=False), Enumerate(z), temperature)

    def products() -> Tensor:
        made = decoder(z)
        table = y.square().sum(1)[:, None] + made.square().sum(1) - 2 * y @ made.T
        if temperature:
            return _by_hand(table)
        return (made[table.detach().argmin(1)] - y).square().sum(1)

    def differences() -> Tensor:
        table = (decoder(z) - y[:, None]).square().sum(-1)
        return _by_hand(table) if temperature else table.amin(1)

    def slopes(value: Callable[[], Tensor]) -> Tensor:
        found = torch.autograd.grad(value().mean(), list(decoder.parameters()))
        return torch.cat([slope.flatten() for slope in found])

    return {
        "ebmlab": partial(slopes, lambda: free(None, y)),
        "by hand, products": partial(slopes, products),
        "by hand, differences": partial(slopes, differences),
    }
