"""A network that makes points of noise."""

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import require_counts, require_tensor
from ebmlab._precise import precise_type
from ebmlab._shown import Shown
from ebmlab.errors import ConfigurationError
from ebmlab.types import Tree

__all__ = ["Generator"]


class Generator(Shown):
    """y = g(z) or g(x, z) with z ~ N(0, I): a density that can be drawn from, and not evaluated.

    Args:
        network: maps z, or (x, z) where `takes_x`, each with one batch dimension, to y.
        dim: length of z.
        takes_x: whether y depends on x.
        x_ndim: event dimensions of x.

    Raises:
        ConfigurationError: dim < 1, or x is missing.

    Example:
        >>> g = Generator(nn.Linear(3, 2), dim=3)
        >>> g.sample(5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 2])

    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """

    shows = ("dim", "takes_x")

    def __init__(
        self, network: nn.Module, dim: int, *, takes_x: bool = False, x_ndim: int = 1
    ) -> None:
        super().__init__()
        require_counts(dim=dim)
        require_counts(0, x_ndim=x_ndim)
        self.network, self.dim = network, dim
        self.takes_x, self.x_ndim = takes_x, x_ndim

    def noise(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws z (n, dim) of N(0, I), in the type of the network."""
        own = next((p.dtype for p in self.network.parameters()), torch.get_default_dtype())
        z = torch.randn(n, self.dim, generator=rng, device=rng.device, dtype=precise_type(own))
        return z.to(own)

    def forward(self, z: Tensor, x: Tree = None) -> Tensor:
        """The points (*batch, *event) of z (*batch, dim); leading dimensions broadcast."""
        if not self.takes_x:
            return over_batch(self.network, (z, 1), names="z")
        if x is None:
            raise ConfigurationError("this generator makes y of x and z (takes_x): pass x")
        return over_batch(self.network, (require_tensor("x", x), self.x_ndim), (z, 1), names="xz")

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, x: Tree = None) -> Tensor:
        """Draws (n, *event), without a graph; x is (n, *event) or broadcasts to it."""
        return self(self.noise(n, rng), x)
