"""What a device can do at all, by which the other tables are judged.

A copy, a product of matrices, an operation on one number, alone and in a graph, the four products
of InfoNCE, and the one pass of a Langevin step with its noise. Notes tell the rate: bytes read and
written, or multiplications and additions, in a second.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from measure import Row, compared, race
from torch import Tensor

from ebmlab.kernels.graphs import Graphed
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.kernels.update import langevin_update

# Operations of one number in a graph, and products in a row of InfoNCE's tiles.
LAUNCHES, TILE = 100, 8192

Call = Callable[[], Any]


def rows(device: str, quick: bool) -> Iterator[Row]:
    """At the sizes of the tables: 1 M × 128 coordinates, products of 8192 and 65,536 rows."""
    chains, side, pairs = (2**10, 64, 256) if quick else (2**20, 8192, 65_536)
    rng = torch.Generator(device).manual_seed(0)
    y = torch.randn(chains, 128, generator=rng, device=device)
    moved = 8 * y.numel() / 1e9
    yield _one(f"copy, {chains} × 128", y.clone, device, 10, moved, "GB/s")
    yield from _products(side, pairs, device, rng)
    yield from _launches(device)
    seed, moved = fresh_seeds(rng, 1)[0], 12 * y.numel() / 1e9
    case = f"update of Langevin, {chains} × 128"
    yield _one(case, lambda: langevin_update(y, y, seed, 0.01), device, 10, moved, "GB/s")


def _products(side: int, pairs: int, device: str, rng: torch.Generator) -> Iterator[Row]:
    for kind in (torch.float32, torch.bfloat16):
        a = torch.randn(side, side, generator=rng, device=device).to(kind)
        case = f"product, {side}³, {str(kind).removeprefix('torch.')}"
        yield _one(case, lambda a=a: a @ a, device, 5, 2 * side**3 / 1e12, "TFLOP/s")
    codes = torch.randn(pairs, 256, generator=rng, device=device).bfloat16()
    work = 4 * 2 * pairs**2 * 256 / 1e12
    case = f"four products of InfoNCE, {pairs} pairs, d = 256, bfloat16"
    yield _one(case, lambda: _tiles(codes), device, 1, work, "TFLOP/s")


def _tiles(codes: Tensor) -> Tensor:
    """Of each tile of the logits: itself twice, and what it gives to either side's gradient."""
    slope = torch.zeros_like(codes)
    for rows in codes.split(TILE):
        for columns, along in zip(codes.split(TILE), slope.split(TILE), strict=True):
            torch.mm(rows, columns.mT)
            logits = rows @ columns.mT
            along.addmm_(logits.mT, rows)
            torch.mm(logits, columns)
    return slope


def _launches(device: str) -> Iterator[Row]:
    number = torch.zeros(1, device=device)

    def several(start: tuple[Tensor]) -> tuple[Tensor]:
        (x,) = start
        for _ in range(LAUNCHES):
            x = x + 1
        return (x,)

    calls: dict[str, Call] = {"one by one": lambda: several((number,))}
    if number.is_cuda:
        graph = Graphed(several, (number,))
        calls["in a graph"] = lambda: graph((number,))
    for name, call in calls.items():
        case = f"operation on one number, {name}"
        row = _one(case, call, device, 1, LAUNCHES / 1e6, "million/s")
        yield replace(row, seconds=row.seconds / LAUNCHES, spread=row.spread / LAUNCHES)


def _one(case: str, call: Call, device: str, repeats: int, work: float, unit: str) -> Row:
    """Seconds of a call, the mean of several at each turn; and how much work a second does."""

    def several() -> None:
        for _ in range(repeats):
            call()

    (row,) = compared("floors", case, "torch", race({"torch": several}, device, turns=5))
    seconds = row.seconds / repeats
    note = f"{work / seconds:.3g} {unit}"
    return replace(row, seconds=seconds, spread=row.spread / repeats, note=note)
