"""The values of z that predictions are made from."""

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_generator
from ebmlab.energies import Density
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Circle, Enumerate, Simplex, Sphere, Vector
from ebmlab.inference.spaces import Finite, Space
from ebmlab.types import Tree

__all__ = ["latents", "possible"]


def possible(infer: Enumerate) -> Tensor:
    """The atoms (k, *event) of prior weight above 0, the most probable first; ties keep order."""
    if infer.log_weights is None:
        return infer.atoms
    order = infer.log_weights.argsort(descending=True, stable=True)
    return infer.atoms[order[: int(infer.log_weights.isfinite().sum())]]


def latents(
    energy: FreeEnergy,
    x: Tree,
    k: int,
    prior: Space | Density | None,
    rng: torch.Generator | None,
) -> Tensor:
    """k values of z (k, *event): codes where z is enumerated, else draws of the prior.

    Raises:
        ConfigurationError: fewer than k codes, no prior, or no rng.
    """
    if prior is None and isinstance(energy.infer, Enumerate):
        atoms = possible(energy.infer)
        if len(atoms) < k:
            raise ConfigurationError(
                f"k is {k}, but Enumerate has {len(atoms)} atoms of weight above 0; ask for fewer"
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
    return (
        prior.sample(k, rng) if isinstance(prior, Density) else _drawn(prior, k, like.dtype, rng)
    )


def _drawn(space: Space, k: int, dtype: torch.dtype, rng: torch.Generator) -> Tensor:
    if isinstance(space, Finite):
        if space.size < k:
            raise ConfigurationError(f"k is {k}, but {space} has {space.size} points")
        points = space.atoms(dtype).to(rng.device)
        return points[torch.randperm(len(points), generator=rng, device=rng.device)[:k]]
    if isinstance(space, Vector):
        return space.normal(k, rng, dtype)
    if isinstance(space, Circle | Sphere | Simplex):
        return space.uniform(k, rng, dtype)
    raise ConfigurationError(f"{space} has no law to draw from; pass a Density")
