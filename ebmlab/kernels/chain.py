"""Whole Langevin chains in one kernel: y and its noise never leave the registers."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["ROWS", "WIDEST", "Slope", "columns", "filled", "langevin_chain", "width"]

# Longer vectors, and wider layers, do not fit into the registers of one program.
WIDEST = 128
# Coordinates per program; chains where sums over coordinates are products of matrices.
TILE, ROWS = 512, 16


@dataclass(frozen=True, eq=False)
class Slope:
    """∂E/∂y of vectors as a kernel computes it: the name of a function, and what it reads.

    Args:
        name: of a function of `chain_triton`, whose docstring says what is packed.
        packed: its numbers (p,), on y's device or on the CPU.
        count: how many components a mixture has, or units a layer.
        rows: chains of one program; None: as many as make a tile of a good size.

    Example:
        >>> Slope("double_well", torch.tensor([2.0])).count
        1
    """

    name: str
    packed: Tensor
    count: int = 1
    rows: int | None = None


def langevin_chain(
    slope: Slope,
    y: Tensor,
    seeds: Tensor,
    step_size: float | Tensor,
    temperature: float | Tensor = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Many steps y ← y - ε ∇E(y) + √(2εT) ξ at once: 8 bytes per coordinate for all of them.

    The numbers are those of `Langevin`, step by step: to rounding the chain is that of `run` on
    any device. Chains that diverge end in NaN; nothing is checked on the way.

    Args:
        slope: ∇E.
        y: where the chains start, (chains, dim), float32; on a CUDA device, except in Triton's
            interpreter.
        seeds: of each step, (steps,) int64 on y's device.
        step_size: ε, a number or a 0-d tensor on y's device.
        temperature: T, likewise.
        clamp: a bound c of each entry of the slope, which becomes max(-c, min(c, g)).

    Source: Parisi 1981.
    """
    from ebmlab.kernels import chain_triton

    function = getattr(chain_triton, slope.name), slope.count, slope.packed.to(y)
    wide = width(y.shape[1])
    tile = slope.rows or max(1, TILE // wide), wide
    return chain_triton.chain(function, y, seeds, step_size, temperature, clamp, tile)


def width(dim: int) -> int:
    """The columns of a tile of vectors of this length: two for each place of their noise."""
    return 2 << (-(-dim // 2) - 1).bit_length()


def columns(rows: Tensor) -> Tensor:
    """Vectors (n, dim) in the columns of a tile: the coordinates that share a place side by side.

    Example:
        >>> columns(torch.arange(5.0)[None])
        tensor([[0., 3., 1., 4., 2., 0., 0., 0.]])
    """
    low, high = rows.tensor_split([-(-rows.shape[1] // 2)], dim=1)
    n = width(rows.shape[1]) // 2
    return torch.stack([filled(low, len(rows), n), filled(high, len(rows), n)], dim=-1).flatten(1)


def filled(matrix: Tensor, rows: int, columns: int) -> Tensor:
    """A matrix with zeros up to this size."""
    return pad(matrix, [0, columns - matrix.shape[1], 0, rows - matrix.shape[0]])
