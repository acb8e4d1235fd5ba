"""The latest codes, kept in a ring."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts
from ebmlab._precise import SINGLE, Precise
from ebmlab._randomness import stream
from ebmlab._ranks import gathered
from ebmlab.errors import ShapeError

__all__ = ["Memory"]


class Memory(Precise):
    """The last `size` codes that were pushed, of all ranks; random directions at first.

    Every rank holds the same codes. Push in commits only.

    Args:
        size: how many are kept.
        dim: their length.
        seed: of the unit vectors that it starts with.
        views: how many kinds of codes are kept apart, `size` of each; None: they are of one kind.

    Attributes:
        codes: (size, dim), or (views, size, dim), in float32 or better; new ones replace the
            oldest.
        count: how many of `size` were pushed, a 0-d tensor; the rows beyond are still random.

    Raises:
        ConfigurationError: a size, a length or a number of views below 1.
        ShapeError: pushed codes are not (…, b, dim), or (…, views, b, dim).

    Example:
        >>> memory = Memory(3, 2)
        >>> memory.push(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> memory.push(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
        >>> memory.codes
        tensor([[0., 2.],
                [0., 1.],
                [2., 0.]])

    Source: He et al. 2020, arXiv:1911.05722, for the queue.
    """

    floors: ClassVar = {"codes": SINGLE}
    codes: Tensor
    pointer: Tensor
    count: Tensor

    def __init__(self, size: int, dim: int, seed: int = 0, *, views: int | None = None) -> None:
        super().__init__()
        kinds = () if views is None else (views,)
        require_counts(size=size, dim=dim, views=min(kinds, default=1))
        codes = torch.randn(*kinds, size, dim, generator=stream(seed, rank=0))
        self.register_buffer("codes", nn.functional.normalize(codes, dim=-1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, codes: Tensor) -> None:
        """Replace the oldest codes by new ones of each rank, (…, b, dim) or (…, views, b, dim)."""
        *kinds, size, dim = self.codes.shape
        self.require_kinds(codes)
        codes = gathered("codes", codes.detach(), batch_dim=codes.ndim - 2)
        codes = codes.reshape(-1, *kinds, codes.shape[-2], dim).movedim(0, -3).flatten(-3, -2)
        count = codes.shape[-2]
        steps = torch.arange(count, device=codes.device)[-size:]
        index = (self.pointer + steps) % size
        self.codes.index_copy_(-2, index, codes[..., -size:, :].to(self.codes.dtype))
        self.pointer.add_(count).remainder_(size)
        self.count.add_(count).clamp_(max=size)

    def require_kinds(self, codes: Tensor) -> None:
        """Raise unless codes are a batch of each kind that is kept, (…, b, dim) of one."""
        *kinds, _, dim = self.codes.shape
        own = tuple(codes.shape[codes.ndim - 2 - len(kinds) : -2])
        if codes.ndim < 2 + len(kinds) or codes.shape[-1] != dim or own != tuple(kinds):
            wanted = ", ".join(["…", *map(str, kinds), "b", str(dim)])
            raise ShapeError(f"codes have shape {tuple(codes.shape)}; expected ({wanted})")

    def extra_repr(self) -> str:
        """What `print` shows."""
        *kinds, size, dim = self.codes.shape
        return f"size={size}, dim={dim}" + "".join(f", views={k}" for k in kinds)
