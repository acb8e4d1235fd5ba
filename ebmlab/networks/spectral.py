"""Layers of a bounded slope: weights divided by their largest singular value."""

from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmlab._checks import require_counts, require_positive
from ebmlab._precise import SINGLE, Precise, precise
from ebmlab._randomness import stream
from ebmlab.errors import ConfigurationError
from ebmlab.protocols import Stepped

__all__ = ["SpectralNorm", "spectral_norm"]

Module = TypeVar("Module", bound=nn.Module)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class SpectralNorm(Stepped, Precise):
    """W -> c W / σ, σ = uᵀ W v the largest singular value of W (out, everything else).

    The singular vectors u and v follow W by one power iteration per optimizer step, in `step`: a
    call changes nothing. Gradients pass through σ, with u and v held.

    Args:
        layer: whose `weight` it is the parametrization of.
        scale: c > 0, the largest singular value that the layer has.
        iterations: of the power method at the start.
        seed: of the vectors that it starts from.

    Source: Miyato et al. 2018, arXiv:1802.05957.
    """

    shows = ("scale",)
    floors: ClassVar = {"u": SINGLE, "v": SINGLE}
    u: Tensor
    v: Tensor

    def __init__(
        self, layer: nn.Module, scale: float = 1.0, iterations: int = 50, seed: int = 0
    ) -> None:
        super().__init__()
        require_positive("scale", scale)
        require_counts(iterations=iterations)
        self.scale = scale
        # In a tuple the layer is no part of what is a part of it.
        self._layer = (layer,)
        matrix = _matrix(layer.get_parameter("weight"))
        rng = stream(seed, *matrix.shape, rank=0)
        for name, size in zip("uv", matrix.shape, strict=True):
            start = torch.randn(size, generator=rng).to(matrix)
            self.register_buffer(name, start / torch.linalg.vector_norm(start))
        for _ in range(iterations):
            self._iterate(matrix)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with its largest singular value at c."""
        norm = self.u @ precise(weight).flatten(1) @ self.v
        # Zeros stay zeros.
        return weight * (self.scale / norm.masked_fill(norm == 0, 1.0)).to(weight.dtype)

    @torch.no_grad()
    def step(self) -> None:
        """One power iteration with the weight as it is now."""
        weight = self._layer[0].get_parameter("parametrizations.weight.original")
        self._iterate(_matrix(weight))

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        self.u.copy_(_unit(matrix @ self.v, self.u))
        self.v.copy_(_unit(self.u @ matrix, self.v))


def _matrix(weight: Tensor) -> Tensor:
    return precise(weight.detach()).flatten(1)


def _unit(image: Tensor, before: Tensor) -> Tensor:
    """Of length one; an image of length zero has no direction, and the one before stays."""
    length = torch.linalg.vector_norm(image)
    return torch.where(length > 0, image / length, before)


def spectral_norm(network: Module, scale: float = 1.0) -> Module:
    """The same network, the weights of its linear and convolutional layers divided by their norm.

    A linear layer then has Lipschitz constant c, and with activations of slope at most 1 an MLP of
    n layers has cⁿ. Of a convolution it is the kernel that is bounded, (out, in · h · w), as in
    the paper; the layer itself may stretch by up to √(h w) times as much. Singular vectors follow
    the weights in `Loss.commit`.

    Args:
        network: whose layers are parametrized, in place.
        scale: c > 0.

    Raises:
        ConfigurationError: no such layers, or they are normalized already.

    Example:
        >>> from ebmlab.networks import MLP
        >>> network = spectral_norm(MLP(2, 1))
        >>> 0.95 < float(torch.linalg.matrix_norm(network[2].weight.detach(), 2)) < 1.05
        True

    Source: Miyato et al. 2018, arXiv:1802.05957.
    """
    layers = [part for part in network.modules() if isinstance(part, LAYERS)]
    if not layers or any(parametrize.is_parametrized(layer, "weight") for layer in layers):
        raise ConfigurationError(
            f"{type(network).__name__} has {len(layers)} linear and convolutional layers; "
            "expected at least one, and none whose weight is parametrized already"
        )
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", SpectralNorm(layer, scale))
    return network
