"""What inferences of clusters share: the target's logits, and z as one atom."""

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab.energies import ClusterEnergy
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import Posterior
from ebmlab.types import Tree

__all__ = ["one_atom", "require_clusters", "target_codes"]


def require_clusters(energy: Energy, who: str) -> ClusterEnergy:
    """The energy, or an error where it has no logits."""
    if isinstance(energy, ClusterEnergy):
        return energy
    raise ConfigurationError(
        f"{who} assigns clusters by an energy's logits, but {type(energy).__name__} has none: "
        "make it the head of a joint embedding, FreeEnergy(Assignment(…), …)"
    )


def target_codes(y: Tree) -> Tensor:
    """y as codes (*batch, dim) without a gradient."""
    return require_tensor("y", y).detach()


def one_atom(z: Tensor, like: Tensor) -> Posterior:
    """Points z (*batch, K) as one atom with weight 1, in the dtype of the codes."""
    z = z.to(like.dtype)
    zero = torch.zeros_like(z[..., 0])
    return Posterior(z[None], torch.ones_like(zero)[None], zero, zero)
