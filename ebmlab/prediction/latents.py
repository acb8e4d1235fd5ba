"""The values of z that predictions are made from."""

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_generator
from ebmlab.energies import Density
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference.spaces import Space
from ebmlab.types import Rng, Tree

__all__ = ["latents"]


def latents(
    energy: FreeEnergy, x: Tree, k: int, prior: Space | Density | None, rng: Rng
) -> Tensor:
    """k values of z (k, *event): codes where z is enumerated, else draws of the prior.

    Raises:
        ConfigurationError: fewer than k codes, no prior, or no rng.
    """
    atoms = energy.infer.possible()
    if prior is None and atoms is not None:
        if len(atoms) < k:
            raise ConfigurationError(
                f"k is {k}, but {type(energy.infer).__name__} has {len(atoms)} atoms of weight "
                "above 0; ask for fewer"
            )
        return atoms[:k]
    if prior is None:
        raise ConfigurationError(
            f"{type(energy.infer).__name__} does not list the values of z: pass prior=…, such as "
            "inference.Vector(dim) for a standard normal"
        )
    tensors = [*leaves(x), *energy.parameters(), *energy.buffers()]
    like = next((t for t in tensors if t.is_floating_point()), torch.zeros(()))
    rng = require_generator(rng, "predict", like.device)
    if isinstance(prior, Density):
        return prior.sample(k, rng)
    return prior.draw(k, rng, like.dtype)
