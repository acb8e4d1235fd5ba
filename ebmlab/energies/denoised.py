"""How far a noisy y is from what a denoiser makes of it."""

from torch import Tensor, nn

from ebmlab._checks import Ndim, over_batch, require_tensor
from ebmlab._events import require_vectors
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["Denoised"]


class Denoised(Energy):
    """E(σ, y) = ‖y - f(σ, y)‖² / 2σ²: an energy of y for each noise level σ, which is its x.

    Trained by slopes, as by `MultiScaleScore`, f need not be the best guess of the clean y: what
    counts is ∇E, with the slope of f in it. `energy.given(torch.tensor([0.1]))` is the landscape at
    one level.

    Args:
        network: f, (σ (n, 1), y (n, *event)) -> like y, as `networks.Denoiser`.
        y_ndim: event dimensions of y: 1 vectors, 3 images.

    Example:
        >>> import torch
        >>> energy = Denoised(lambda sigma, y: 0 * y)
        >>> energy(torch.tensor([[1.0], [0.5]]), torch.ones(2, 4))
        tensor([2., 8.])

    Source: Song, Ermon 2019, arXiv:1907.05600; as an energy, Salimans, Ho 2021, "Should EBMs model
    the energy or the score?".
    """

    def __init__(self, network: nn.Module, y_ndim: int = 1) -> None:
        super().__init__()
        self.network = network
        self.y_ndim: Ndim = y_ndim
        self.y_event = y_ndim

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Half the squared distances (*batch), in units of σ²."""
        sigma = require_vectors("x", x, 1, "Denoised")
        y = require_tensor("y", y)

        def missed(level: Tensor, noisy: Tensor) -> Tensor:
            off = (noisy - self.network(level, noisy)).flatten(1) / level
            return 0.5 * off.square().sum(-1, keepdim=True)

        return over_batch(missed, (sigma, 1), (y, self.y_event), names="xy").squeeze(-1)
