"""`Assigning`: what inferences of clusters share: z is made of the target's logits alone."""

from abc import abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._kinds import require_a
from ebmlab.energies import ClusterEnergy
from ebmlab.energy import Energy
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, one_atom
from ebmlab.types import Rng, Tree

__all__ = ["Assigning", "Logits", "target_codes"]

Logits = Callable[[Tensor], Tensor]


class Assigning(Inference):
    """z = a share of each cluster, from the logits of y's codes; no gradient passes.

    A subclass writes `assign`. F is the energy at z, and so an upper bound of its minimum over z.

    Raises:
        ConfigurationError: the energy has no logits.
    """

    point = True

    @abstractmethod
    def assign(self, logits: Logits, h: Tensor) -> tuple[Tensor, Tensor | None]:
        """z (*batch, K) for codes h (*batch, dim), and its residual (*batch) if it has one."""

    @final
    @torch.no_grad()
    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        what = f"{type(self).__name__} assigns clusters by logits: the energy"
        mend = "make FreeEnergy(Assignment(…), …) the head of a joint embedding"
        h = target_codes(y)
        if h.ndim > 1:
            # Where x has more batch dimensions than y, atoms stand in front of all of them.
            h = h[(None,) * (len(data_batch(energy, x, y)) + 1 - h.ndim)]
        z, residual = self.assign(require_a(ClusterEnergy, what, energy, mend).logits, h)
        found = None if residual is None else residual.to(h.dtype).expand(z.shape[:-1])
        return one_atom(z.to(h.dtype), residual=found)


def target_codes(y: Tree) -> Tensor:
    """y as codes (*batch, dim) without a gradient."""
    return require_tensor("y", y).detach()
