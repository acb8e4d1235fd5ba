"""Gaussian blur of a width that each sample draws."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_shares
from ebmlab.data._random import uniform
from ebmlab.data.views.separable import separable
from ebmlab.data.views.view import Augmentation, require_range
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = ["Blur"]


@dataclass(frozen=True)
class Blur(Augmentation):
    """Convolve with a Gaussian, k(i) ∝ exp(-i² / 2σ²) for |i| <= size // 2, σ ~ U(sigma) pixels.

    Beyond its edges an image continues as in a mirror, without doubling the edge's own pixels.
    Rows and columns are blurred by a matrix product each, which for all but very large
    images is faster than a convolution whose kernel differs from sample to sample. On the CPU
    those that no blur was drawn for are left out of the work.

    Args:
        size: of the kernel, odd; a tenth of the image is usual.
        sigma: smallest and largest standard deviation, > 0, in pixels.
        probability: that a sample is blurred, in [0, 1].

    Raises:
        ShapeError: images are so small that the mirror does not reach half a kernel.

    Example:
        >>> dot = torch.zeros(1, 1, 1, 3)
        >>> dot[..., 1] = 1.0
        >>> Blur(1)(dot, torch.Generator()).flatten()
        tensor([0., 1., 0.])

    Source: Chen et al. 2020, arXiv:2002.05709.
    """

    size: int
    sigma: tuple[float, float] = (0.1, 2.0)
    probability: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0:
            raise ConfigurationError(f"size is {self.size}; a kernel has an odd number of pixels")
        require_range("sigma", self.sigma)
        require_shares(probability=self.probability)

    def draw(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor]:
        """Standard deviations (n,), 0 where a sample is left alone."""
        n = len(images)
        applied = uniform(n, rng) < self.probability
        return (torch.where(applied, uniform(n, rng, *self.sigma), 0.0),)

    def apply(self, images: Tensor, draws: tuple[Tensor]) -> Tensor:
        """The blurred images."""
        (h, w), reach = images.shape[-2:], self.size // 2
        if min(h, w) <= reach:
            raise ShapeError(
                f"images have shape {tuple(images.shape)}; a kernel of {self.size} needs more "
                f"than {reach} pixels each way"
            )
        sigma = draws[0].to(images.dtype)
        if images.is_cuda or self.probability == 1:
            # To know which rows are drawn would be to wait for the device.
            return self._blurred(images, sigma)
        drawn = sigma.nonzero().squeeze(1)
        return images.index_copy(0, drawn, self._blurred(images[drawn], sigma[drawn]))

    def _blurred(self, images: Tensor, sigma: Tensor) -> Tensor:
        """All images convolved."""
        (h, w), reach = images.shape[-2:], self.size // 2
        offset = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
        # Where σ is 0, all but the middle is far away, and the kernel is the identity.
        scaled = offset / torch.where(sigma > 0, sigma, torch.finfo(images.dtype).eps)[:, None]
        kernel = (-0.5 * scaled.square()).softmax(-1)
        rows = _banded(kernel, h)
        return separable(images, rows, rows if h == w else _banded(kernel, w))


def _banded(kernel: Tensor, length: int) -> Tensor:
    """Matrices (n, length, length) that convolve with kernels (n, size), mirrored at the edges."""
    size = kernel.shape[1]
    source = torch.arange(size, device=kernel.device) - size // 2
    source = source[:, None] + torch.arange(length, device=kernel.device)
    last = length - 1
    source = last - (last - source.abs()).abs()
    taps = functional.one_hot(source, length).to(kernel.dtype)
    return (kernel @ taps.flatten(1)).unflatten(1, (length, length))
