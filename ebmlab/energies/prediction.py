"""How far z is from what an encoder makes of y."""

import torch
from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import Ndim, require_non_negative, require_tensor
from ebmlab._events import require_vectors
from ebmlab.energy import Energy
from ebmlab.types import Tree

__all__ = ["CodePrediction"]


class CodePrediction(Energy):
    """E(y, z) = α ‖z - f(y)‖²: a term that makes codes predictable, and trains the predictor f.

    Added to an energy of y and z it pulls the inferred z towards f(y), and f(y) towards that z.

    Args:
        encoder: f, (n, *event) -> (n, dim).
        weight: α >= 0.
        y_ndim: event dimensions of y: 1 vectors, 3 images.

    Example:
        >>> import torch
        >>> energy = CodePrediction(nn.Identity(), 0.5)
        >>> energy(None, torch.zeros(4, 2), torch.ones(4, 2))
        tensor([1., 1., 1., 1.])

    Source: Kavukcuoglu, Ranzato, LeCun 2010, arXiv:1010.3467.
    """

    shows = ("weight",)
    takes_x = False
    takes_z = True

    def __init__(self, encoder: nn.Module, weight: float = 1.0, *, y_ndim: int = 1) -> None:
        super().__init__()
        require_non_negative("weight", weight)
        self.encoder, self.weight, self.event = encoder, weight, y_ndim
        self.y_ndim: Ndim = y_ndim

    def predict(self, y: Tree) -> Tensor:
        """f(y), shape (*batch, dim)."""
        return over_batch(self.encoder, (require_tensor("y", y), self.event), names="y")

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """Weighted squared distances (*batch)."""
        return self.weight * self._missed(y, z).square().sum(-1)

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """√α (z - f(y))."""
        return self.weight**0.5 * self._missed(y, z)

    def _missed(self, y: Tree, z: Tree) -> Tensor:
        guess = self.predict(y)
        return require_vectors("z", z, guess.shape[-1], "CodePrediction, as f(y),") - guess

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor]:
        """√α 1 and √α f(y)."""
        guess = self.weight**0.5 * self.predict(y)
        one = torch.eye(guess.shape[-1], dtype=guess.dtype, device=guess.device)
        return self.weight**0.5 * one, guess
