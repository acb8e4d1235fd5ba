"""How far a noisy y is from what a denoiser makes of it."""

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import Ndim, require_positive, require_tensor
from ebmlab._events import require_vectors
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Denoised"]


class Denoised(Energy):
    """E(σ, y) = ‖y - f(σ, y)‖² / 2σ²: an energy of y for each noise level σ, which is its x.

    x = None is the lowest level, so that this can be the prior of a `Reconstruction`. Trained by
    slopes, as by `MultiScaleScore`, f need not be the best guess of the clean y: what counts is
    ∇E, with the slope of f in it.

    Args:
        network: f, (σ (n, 1), y (n, *event)) -> like y, as `networks.Denoiser`.
        low: the lowest level, > 0, in the units of y.
        y_ndim: event dimensions of y: 1 vectors, 3 images.

    Example:
        >>> import torch
        >>> from ebmlab.networks import Denoiser
        >>> energy, y = Denoised(Denoiser(4), low=0.2), torch.ones(2, 4)
        >>> energy(None, y).shape, energy.given(torch.tensor([0.5]))(y).shape
        (torch.Size([2]), torch.Size([2]))

    Source: Song, Ermon 2019, arXiv:1907.05600; as an energy, Salimans, Ho 2021, "Should EBMs model
    the energy or the score?".
    """

    shows = ("low",)

    def __init__(self, network: nn.Module, low: float = 0.1, y_ndim: int = 1) -> None:
        super().__init__()
        require_positive("low", low)
        self.network, self.low, self.y_event = network, low, y_ndim
        self.y_ndim: Ndim = y_ndim

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Half the squared distances (*batch), in units of σ²."""
        y = require_tensor("y", y)
        sigma = y.new_full((1,), self.low) if x is None else x
        sigma = require_vectors("x", sigma, 1, "Denoised")
        require_floats("y", y)

        def missed(level: Tensor, noisy: Tensor) -> Tensor:
            off = precise(noisy - self.network(level, noisy)).flatten(1) / precise(level)
            return 0.5 * off.square().sum(-1, keepdim=True)

        return over_batch(missed, (sigma, 1), (y, self.y_event), names="xy").squeeze(-1)
