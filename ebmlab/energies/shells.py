"""`Shells`: blocks of coordinates whose lengths have a density of their own."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab.energies._densities.density import Density
from ebmlab.errors import ShapeError

__all__ = ["Shells"]


class Shells(Density):
    """E(y) = E_s(s) + ½ Σ_b k_b s_b, s_b = log(‖y_b‖² / k_b): how long each block is, and where.

    y falls into blocks y_b of k_b coordinates. Within a block all directions are equal; the
    lengths have any joint density, E_s of the levels s. The second term is the logarithm of the
    volume of a shell. It falls without bound as blocks shrink, and so -log p(y) calls an image
    ordinary that is smoother than all data; `density` of `levels(y)`, which counts no volume, does
    not. A Gaussian N(0, I) is the case in which e^{s_b} k_b are independent and χ².

    Args:
        sizes: k_b, how many coordinates each block has, in their order.
        density: of the levels s, whose `dim` is the number of blocks.

    Raises:
        ConfigurationError: a size is not a whole number above 0, or `density` is no `Density`.
        ShapeError: there are no blocks, or the density has another dim.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> shells = Shells((2, 3), Gaussian(torch.zeros(2), 0.01 * torch.eye(2)))
        >>> y = shells.sample(1000, torch.Generator().manual_seed(0))
        >>> bool((y.square().mean() - 1).abs() < 0.1)
        True
        >>> smooth = 0.1 * y
        >>> bool((shells.density(None, shells.levels(smooth)) > 200).all())
        True

    Source: Morningstar et al. 2020, arXiv:2006.09273 (densities of statistics); Nalisnick et al.
    2019, arXiv:1906.02994 (typical sets).
    """

    shows = ("sizes",)

    def __init__(self, sizes: Sequence[int], density: Density) -> None:
        super().__init__()
        for block, size in enumerate(sizes):
            require_counts(**{f"sizes[{block}]": size})
        require_a(Density, "density of Shells", density, "DensityMixture(Gaussian(…), …) is one")
        if not sizes or density.dim != len(sizes):
            raise ShapeError(
                f"there are {len(sizes)} blocks for a density of dim {density.dim}; it is one of "
                "the levels, a number for each block, of which there is at least one"
            )
        self.sizes, self.density = tuple(sizes), density
        self.dim = sum(sizes)

    def levels(self, y: Tensor) -> Tensor:
        """s_b = log(‖y_b‖² / k_b) of y (*batch, dim): (*batch, blocks), 0 for unit variances.

        A block of zeros has the level of the smallest normal number.
        """
        squared = precise(self._vectors(y)).square()
        means = torch.stack([block.mean(-1) for block in squared.split(self.sizes, -1)], -1)
        return means.clamp(min=torch.finfo(means.dtype).tiny).log()

    def potential(self, y: Tensor) -> Tensor:
        """E_s(s) and the log volume of the shells."""
        s = self.levels(y)
        return self.density.potential(s) + 0.5 * (s * s.new_tensor(self.sizes)).sum(-1)

    @property
    def log_z(self) -> Tensor:
        """log Z_s + Σ_b ½ k_b log(π k_b) - log Γ(½ k_b)."""
        each = [0.5 * k * math.log(math.pi * k) - math.lgamma(0.5 * k) for k in self.sizes]
        return self.density.log_z + math.fsum(each)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Levels from their density, and a uniform direction in each block."""
        levels = self.density.sample(n, rng)
        noise = torch.randn(n, self.dim, generator=rng, device=rng.device, dtype=levels.dtype)
        blocks = zip(noise.split(self.sizes, 1), levels.split(1, 1), self.sizes, strict=True)
        return torch.cat(
            [
                block / block.norm(dim=1, keepdim=True) * math.sqrt(k) * (0.5 * s).exp()
                for block, s, k in blocks
            ],
            1,
        )
