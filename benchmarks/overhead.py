"""What ebmlab adds to the same mathematics in bare torch: a call, a slope, a step of `fit`.

    python benchmarks/run.py --topic overhead

Both sides take turns on the same tensors; a turn is many calls, or a run of many steps, and
seconds are those of the processor for one of them, which other work on the machine disturbs less
than those of the clock. The bare side checks nothing. The note has what is added, in the median
over the turns and its quartiles, and how much may be.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Any

import torch
from measure import Row, Time, compared
from torch import Tensor, nn

from ebmlab import Method, networks
from ebmlab.energies import MLP, Gaussian, JointEmbedding, SquaredDistance
from ebmlab.objectives import Regularized
from ebmlab.training import Recording, fit

__all__ = ["rows"]

# What is done so many times.
Repeated = Callable[[int], None]


@dataclass(frozen=True)
class Case:
    """What is done by ebmlab and by hand, how often in a turn, and what may be added."""

    name: str
    ours: Repeated
    bare: Repeated
    times: int
    allowed: str


def rows(device: str, quick: bool) -> Iterator[Row]:
    """A row for each case."""
    for case in (*_calls(device), *_slopes(device), _fit(device)):
        yield _measured(case, device, 3 if quick else 21, 20 if quick else case.times)


def _calls(device: str) -> Iterator[Case]:
    energy = MLP(2).to(device)
    y = torch.ones(64, 2, device=device)
    bare = _many(lambda: energy.network(y).squeeze(-1))
    names = "network 2-128-128-1, 64 points"
    for name, call in (("call", lambda: energy(None, y)), ("potential", _of(energy, y))):
        yield Case(f"{name}, {names}", _many(call), bare, 1000, "25 µs")
    pairs = MLP(2, x_dim=3).to(device)
    x = torch.ones(64, 3, device=device)
    bare = _many(lambda: pairs.network(torch.cat([x, y], dim=-1)).squeeze(-1))
    yield Case(f"call with x, {names}", _many(lambda: pairs(x, y)), bare, 1000, "25 µs")


def _of(energy: MLP, y: Tensor) -> Callable[[], Tensor]:
    u = energy.given()
    return lambda: u(y)


def _slopes(device: str) -> Iterator[Case]:
    for n, dim in ((1, 2), (100, 50)):
        energy = Gaussian(torch.zeros(dim), torch.eye(dim)).to(device)
        y = torch.ones(n, dim, device=device)
        ours, bare = _many(lambda e=energy, y=y: e.value_and_grad(None, y)), _alone(energy, y)
        yield Case(f"value_and_grad, Gaussian, {n} × {dim}-D", ours, bare, 2000, "1.5 times")


def _alone(energy: Gaussian, y: Tensor) -> Repeated:
    def slope() -> Any:
        with torch.no_grad():
            return energy.slope(y)

    return _many(slope)


def _fit(device: str) -> Case:
    """Regression, x to y, by a network: the energy of a joint embedding, or a loss by hand."""
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.randn(4096, dim, generator=rng).to(device) for dim in (8, 4))

    def ours(steps: int) -> None:
        energy = JointEmbedding(_network(device), nn.Identity(), SquaredDistance())
        fit(Method(energy, Regularized()), (x, y), steps=steps, record=Recording(progress=False))

    def bare(steps: int) -> None:
        network = _network(device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.0)
        rng, order = torch.Generator(device).manual_seed(0), torch.empty(0)
        for step in range(steps):
            place = step % 32
            if place == 0:
                order = torch.randperm(len(x), generator=rng, device=device)
            index = order[128 * place : 128 * (place + 1)]
            loss = (network(x[index]) - y[index]).square().sum(-1).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return Case("step of fit, network 8-128-128-4, 128 pairs", ours, bare, 400, "300 µs")


def _network(device: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return networks.MLP(8, 4, (128, 128)).to(device)


def _many(call: Callable[[], Any]) -> Repeated:
    def repeated(times: int) -> None:
        for _ in range(times):
            call()

    return repeated


def _measured(case: Case, device: str, turns: int, times: int) -> Row:
    spent: dict[str, list[float]] = {"ebmlab": [], "bare": []}
    contenders = {"ebmlab": case.ours, "bare": case.bare}
    for turn in range(turns + 1):
        for who in sorted(contenders, reverse=bool(turn % 2)):
            spent[who].append(_seconds(contenders[who], times, device) / times)
    each = {who: Time(seconds[0], tuple(seconds[1:]), None) for who, seconds in spent.items()}
    (row,) = compared("overhead", case.name, "ebmlab", each)
    added = [1e6 * (a - b) for a, b in zip(each["ebmlab"].turns, each["bare"].turns, strict=True)]
    low, middle, high = quantiles(added, n=4)
    ratio = each["ebmlab"].seconds / each["bare"].seconds
    note = f"+ {middle:.1f} µs ({low:.1f} … {high:.1f}), {ratio:.2f} times; allowed {case.allowed}"
    return replace(row, note=note)


def _seconds(repeated: Repeated, times: int, device: str) -> float:
    """Of the processor, or on a GPU of the clock, until all is done."""
    if device == "cpu":
        begin = time.process_time()
        repeated(times)
        return time.process_time() - begin
    torch.cuda.synchronize()
    begin = time.perf_counter()
    repeated(times)
    torch.cuda.synchronize()
    return time.perf_counter() - begin
