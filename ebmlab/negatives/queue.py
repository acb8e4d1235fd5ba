"""Past codes as negatives."""

from ebmlab._checks import require_tensor
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.networks import Memory
from ebmlab.protocols import Draw, Negatives
from ebmlab.types import Rng, Tree

__all__ = ["Queue"]


class Queue(Shown, Negatives):
    """The latest `size` codes y of all ranks: E(x_i, q_j) for every j.

    Each commit pushes the batch's y, without a gradient. At first the queue holds random unit
    vectors. A slow encoder of y keeps old and new codes comparable.

    Args:
        size, dim: how many codes are kept, of what length.
        seed: of the unit vectors that it starts with; all ranks share it.

    Example:
        >>> import torch
        >>> from ebmlab.energies import Cosine
        >>> draw = Queue(16, 3)(Cosine(), torch.ones(4, 3), torch.ones(4, 3))
        >>> draw.energies.shape
        torch.Size([4, 16])

    Source: He et al. 2020, arXiv:1911.05722.
    """

    def __init__(self, size: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        self.memory = Memory(size, dim, seed)

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Draw:
        """Energies (b, size); commit pushes y."""
        x, y = require_tensor("x", x), require_tensor("y", y)
        past = self.memory.codes.to(y.dtype)
        energies = energy(x[:, None], past[None], rng=rng)
        return Draw(energies, {}, lambda: self.memory.push(y))
