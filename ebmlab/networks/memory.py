"""The latest codes, kept in a ring."""

import torch
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.randomness import stream
from ebmlab.ranks import gathered

__all__ = ["Memory"]


class Memory(nn.Module):
    """The last `size` codes that were pushed, of all ranks; random directions at first.

    Every rank holds the same codes. Push in commits only.

    Args:
        size: how many are kept.
        dim: their length.
        seed: of the unit vectors that it starts with.

    Attributes:
        codes: (size, dim); new ones replace the oldest.
        count: how many of them were pushed, a 0-d tensor; the rows beyond are still random.

    Raises:
        ConfigurationError: a size or a length below 1.
        ShapeError: pushed codes are not (…, dim).

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

    codes: Tensor
    pointer: Tensor
    count: Tensor

    def __init__(self, size: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        if size < 1 or dim < 1:
            raise ConfigurationError(f"size is {size}, dim {dim}; both must be at least 1")
        codes = torch.randn(size, dim, generator=stream(seed, rank=0))
        self.register_buffer("codes", nn.functional.normalize(codes, dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, codes: Tensor) -> None:
        """Replace the oldest codes by new ones, (…, b, dim) of each rank."""
        size, dim = self.codes.shape
        if codes.ndim < 2 or codes.shape[-1] != dim:
            raise ShapeError(f"codes have shape {tuple(codes.shape)}; (…, b, {dim}) is due")
        codes = gathered("codes", codes.detach(), batch_dim=codes.ndim - 2).reshape(-1, dim)
        steps = torch.arange(len(codes), device=codes.device)[-size:]
        index = (self.pointer + steps) % size
        self.codes.index_copy_(0, index, codes[-size:].to(self.codes.dtype))
        self.pointer.add_(len(codes)).remainder_(size)
        self.count.add_(len(codes)).clamp_(max=size)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return "size={}, dim={}".format(*self.codes.shape)
