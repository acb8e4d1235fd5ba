"""The deep Boltzmann machine of two hidden layers."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab._events import require_vectors
from ebmlab.codes import Codes
from ebmlab.energies._discrete.bipartite import BlockConditionals
from ebmlab.energies._discrete.rbm import RBM
from ebmlab.energy import Energy
from ebmlab.types import Rng, Tree

__all__ = ["Completed", "DeepBoltzmann"]


class DeepBoltzmann(Energy):
    """E(v, h₂) = -bᵀv - aᵀh₂ - Σ_j log(1 + exp(c_j + (vW₁)_j + (W₂h₂)_j)): h₁ summed out, z = h₂.

    Layers v, h₁, h₂ in {0, 1}, bonds between neighbors only:
    E(v, h₁, h₂) = -bᵀv - cᵀh₁ - aᵀh₂ - vᵀW₁h₁ - h₁ᵀW₂h₂. Given the even layers (v, h₂) the odd one
    is independent, and the other way round: it is an `RBM` whose visible side is (v, h₂), which
    samples it in two blocks and knows its log Z. The sum counts the states of h₁.

    Args:
        visible, middle, top: lengths of v, h₁, h₂.
        std: of the normal weights at the start, > 0; biases start at 0.
        rng: a CPU generator that draws the weights; one seeded with 0 if left out.

    Attributes:
        rbm: the machine of (v, h₂) and h₁: weights (visible + top, middle) are W₁ above W₂ᵀ.

    Example:
        >>> from ebmlab import FreeEnergy
        >>> from ebmlab.inference import Enumerate
        >>> deep = DeepBoltzmann(4, 3, 2)
        >>> h = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> FreeEnergy(deep, Enumerate(h), 1.0)(None, torch.zeros(5, 4)).shape
        torch.Size([5])

    Source: Salakhutdinov, Hinton 2009.
    """

    shows = ("visible", "top")
    takes_x = False
    takes_z = True

    def __init__(
        self, visible: int, middle: int, top: int, std: float = 0.01, rng: Rng = None
    ) -> None:
        super().__init__()
        require_counts(visible=visible, middle=middle, top=top)
        self.visible, self.top = visible, top
        self.rbm = RBM(visible + top, middle, std, rng)

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        v = require_vectors("y", y, self.visible, "DeepBoltzmann")
        return self.rbm(None, self.even(v, require_vectors("z", z, self.top, "DeepBoltzmann")))

    def even(self, v: Tensor, top: Tensor) -> Tensor:
        """The even layers (v, h₂) side by side, (*batch, visible + top); batches broadcast."""
        batch = torch.broadcast_shapes(v.shape[:-1], top.shape[:-1])
        return torch.cat([part.expand(*batch, part.shape[-1]) for part in (v, top)], -1)

    def conditionals(self) -> BlockConditionals:
        """h₁ given (v, h₂), then (v, h₂) given h₁: `Gibbs` over `deep.rbm.given()`."""
        return self.rbm.conditionals()

    def completed(self, sweeps: int = 10) -> "Completed":
        """The energy of v alone, h₂ at its mean field, of the same parameters."""
        return Completed(self, sweeps)

    @torch.no_grad()
    def mean_field(self, v: Tensor, sweeps: int = 10) -> Tensor:
        """Means μ₂ of h₂ given v (*batch, visible), by updates of both layers in turn.

        μ₁ ← σ(c + vW₁ + W₂μ₂), μ₂ ← σ(a + μ₁W₂), from μ₂ = ½. Of all laws under which the units
        are independent, a fixed point is a (local) best.
        """
        require_counts(sweeps=sweeps)
        means = v.new_full((*v.shape[:-1], self.top), 0.5)
        for _ in range(sweeps):
            middle = self.rbm.hidden_logits(self.even(v, means)).sigmoid()
            means = self.rbm.visible_logits(middle)[..., self.visible :].sigmoid()
        return means


class Completed(Energy):
    """E(v, μ₂(v)): a deep machine with its top layer at the mean field, for training.

    Its code of y = v is (v, μ₂), its head the `rbm` of even layers, so that negatives are chains
    over both. μ₂ is held fixed: the gradient is that of the mean-field bound
    E(v, μ₂) - H(μ₂) >= F(v), and the value lacks the entropy H of independent units of mean μ₂.

    Args:
        deep: whose parameters it shares.
        sweeps: of `DeepBoltzmann.mean_field`.

    Example:
        >>> completed = DeepBoltzmann(4, 3, 2).completed()
        >>> completed.codes(None, torch.zeros(5, 4)).y[0].shape
        torch.Size([5, 6])

    Source: Salakhutdinov, Hinton 2009.
    """

    shows = ("sweeps",)
    takes_x = False

    def __init__(self, deep: DeepBoltzmann, sweeps: int = 10) -> None:
        super().__init__()
        require_counts(sweeps=sweeps)
        self.deep, self.sweeps = deep, sweeps

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        return self.codes(x, y).energies()[0]

    def codes(self, x: Tree, y: Tree) -> Codes:
        """(v, μ₂) under the machine of even layers."""
        v = require_vectors("y", y, self.deep.visible, "DeepBoltzmann")
        even = self.deep.even(v, self.deep.mean_field(v, self.sweeps))
        return Codes(self.deep.rbm, (x,), (even,))

    def encode(self, y: Tree) -> Tensor:
        """μ₂ (*batch, top)."""
        v = require_vectors("y", y, self.deep.visible, "DeepBoltzmann")
        return self.deep.mean_field(v, self.sweeps)
