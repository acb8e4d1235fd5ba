"""log Σ_j exp(s x_i·y_j) without the matrix: tile by tile, computed again for the gradient."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ebmlab.errors import GradientError, ShapeError

__all__ = ["log_sum_exp_others", "log_sum_exp_products"]

# A tile that stays in the cache of a core, and one that fills a GPU.
TILE, WIDE_TILE = 512, 8192
# exp(-80) is a normal number of float32: sums below the largest possible product stay exact.
STEEPEST = 40.0


def log_sum_exp_products(
    x: Tensor, y: Tensor, scale: float | Tensor = 1.0, left_out: Tensor | None = None
) -> Tensor:
    """log Σ_j exp(s x_i·y_j) for each row i, in memory O((b + m) d).

    Products and sums are float32 or better, also under autocast. First derivatives flow to x, y
    and s.

    Args:
        x: (b, d).
        y: (m, d).
        scale: s, a number or a 0-d tensor.
        left_out: pairs that do not count: (b,) the j that row i skips, or (b, m) booleans.

    Returns:
        (b,); -inf where everything is left out.

    Raises:
        ShapeError: x, y or left_out do not fit together.
        GradientError: a graph of the gradient is asked for.

    Example:
        >>> log_sum_exp_products(torch.zeros(2, 3), torch.zeros(5, 3)).exp()
        tensor([5., 5.])

    Source: Rabe, Staats 2021, arXiv:2112.05682 (softmax in tiles).
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ShapeError(
            f"x has shape {tuple(x.shape)}, y {tuple(y.shape)}; they must be (b, d) and (m, d)"
        )
    if left_out is not None and left_out.shape not in {x.shape[:1], (len(x), len(y))}:
        wanted = f"({len(x)},) columns or ({len(x)}, {len(y)}) booleans"
        raise ShapeError(f"left_out has shape {tuple(left_out.shape)}; expected {wanted}")
    x, y = _wide(x), _wide(y)
    scale = torch.as_tensor(scale, dtype=x.dtype, device=x.device)
    return _Products.apply(x, y, scale, left_out)


def log_sum_exp_others(u: Tensor, scale: float = 1.0) -> Tensor:
    """log Σ_{j≠i} exp(s u_i·u_j) of unit vectors: half the work, since products are symmetric.

    Args:
        u: (n, d), rows of length one at most.
        scale: s > 0.

    Example:
        >>> log_sum_exp_others(torch.eye(4)).exp()
        tensor([3., 3., 3., 3.])
    """
    if scale > STEEPEST:
        return log_sum_exp_products(u, u, scale, torch.arange(len(u), device=u.device))
    u = _wide(u)
    return _Others.apply(u, scale)


def _once(grad: Tensor) -> Tensor:
    """The cotangent, where no graph of the gradient is asked for: its tiles are not kept."""
    if torch.is_grad_enabled():
        raise GradientError(
            "sums of products without the matrix have first derivatives only; for a double "
            "backward take Contrastive(InfoNCE(…), InBatch(…))"
        )
    return grad


def _wide(rows: Tensor) -> Tensor:
    return rows if rows.itemsize >= 4 else rows.float()


def _blocks(n: int, like: Tensor) -> list[slice]:
    tile = TILE if like.device.type == "cpu" else WIDE_TILE
    return [slice(begin, min(begin + tile, n)) for begin in range(0, n, tile)]


def _skip(tile: Tensor, left_out: Tensor | None, rows: slice, columns: slice) -> Tensor:
    """The tile of products, -inf where a pair is left out."""
    if left_out is None:
        return tile
    if left_out.ndim == 2:
        return tile.masked_fill_(left_out[rows, columns], -torch.inf)
    index = torch.arange(columns.start, columns.stop, device=tile.device)
    return tile.masked_fill_(left_out[rows, None] == index, -torch.inf)


class _Products(torch.autograd.Function):
    """Sums with a running maximum; the tiles are computed again for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, scale: Tensor, left_out: Tensor | None) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            sums = torch.empty_like(x[:, 0])
            for rows in _blocks(len(x), x):
                scaled, largest = scale * x[rows], torch.full_like(sums[rows], -torch.inf)
                total = torch.zeros_like(largest)
                for columns in _blocks(len(y), y):
                    tile = _skip(scaled @ y[columns].T, left_out, rows, columns)
                    higher = torch.maximum(largest, tile.amax(1))
                    shift = torch.where(higher.isneginf(), 0.0, higher)
                    total *= (largest - shift).exp_()
                    total += tile.sub_(shift[:, None]).exp_().sum(1)
                    largest = higher
                sums[rows] = largest + total.log()
        ctx.save_for_backward(x, y, scale, left_out, sums)
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = _once(*grads)
        x, y, scale, left_out, sums = ctx.saved_tensors
        along_x, along_y = torch.zeros_like(x), torch.zeros_like(y)
        with torch.autocast(x.device.type, enabled=False):
            for rows in _blocks(len(x), x):
                scaled = scale * x[rows]
                shift = torch.where(sums[rows].isneginf(), 0.0, sums[rows])[:, None]
                for columns in _blocks(len(y), y):
                    tile = _skip(scaled @ y[columns].T, left_out, rows, columns)
                    tile.sub_(shift).exp_().mul_(grad[rows, None])
                    along_x[rows].addmm_(tile, y[columns])
                    along_y[columns].addmm_(tile.T, x[rows])
        return scale * along_x, scale * along_y, (along_x * x).sum(), None


class _Others(torch.autograd.Function):
    """One triangle of tiles serves both halves of the matrix; no product exceeds the scale."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, scale: float) -> Tensor:
        total = torch.zeros_like(u[:, 0])
        for rows, columns, tile in _triangle(u, scale):
            total[rows] += tile.sum(1)
            if rows != columns:
                total[columns] += tile.sum(0)
        sums = total.log() + scale
        ctx.scale = scale
        ctx.save_for_backward(u, sums)
        return sums

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None]:
        grad = _once(*grads)
        u, sums = ctx.saved_tensors
        along, share = torch.zeros_like(u), grad * (ctx.scale - sums).exp()
        with torch.autocast(u.device.type, enabled=False):
            for rows, columns, tile in _triangle(u, ctx.scale):
                tile.mul_(share[rows, None] + share[None, columns])
                along[rows].addmm_(tile, u[columns])
                if rows != columns:
                    along[columns].addmm_(tile.T, u[rows])
        return ctx.scale * along, None


def _triangle(u: Tensor, scale: float) -> Iterator[tuple[slice, slice, Tensor]]:
    """exp(s u_i·u_j - s) by tiles with rows <= columns; 0 on the diagonal."""
    blocks = _blocks(len(u), u)
    with torch.autocast(u.device.type, enabled=False):
        for number, rows in enumerate(blocks):
            scaled = scale * u[rows]
            for columns in blocks[number:]:
                tile = (scaled @ u[columns].T).sub_(scale).exp_()
                if rows == columns:
                    tile.fill_diagonal_(0.0)
                yield rows, columns, tile
