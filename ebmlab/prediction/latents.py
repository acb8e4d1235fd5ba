"""Values of z to predict from: those that are enumerated, or draws of a prior."""

import torch
from torch import Tensor

from ebmlab._checks import leaves, require_generator
from ebmlab.energies import Density
from ebmlab.errors import ConfigurationError
from ebmlab.free_energy import FreeEnergy, Inference
from ebmlab.inference import Product
from ebmlab.inference.spaces import Space
from ebmlab.types import Rng, Tree

__all__ = ["Prior", "latents"]

Prior = Space | Density | None


def latents(
    energy: FreeEnergy, x: Tree, k: int, prior: Prior | tuple[Prior, ...], rng: Rng
) -> Tree:
    """k values of z (k, *event), every part that is inferred, in the order of the energy's z.

    Enumerated parts run through all their tuples, the first part slowest, over and over where
    other parts are drawn.
    """
    infers = _inferences(energy)
    priors = prior if isinstance(prior, tuple) else (prior,)
    if len(priors) == 1:
        priors *= len(infers)
    if len(priors) != len(infers):
        raise ConfigurationError(
            f"prior holds {len(priors)}, but z has {len(infers)} parts; one for each, None for "
            "those that are enumerated"
        )
    values = [i.possible() if p is None else None for i, p in zip(infers, priors, strict=True)]
    listed = [leaves(value)[0] for value in values if value is not None]
    index = _turns(listed, k, repeats=len(listed) < len(infers), who=infers)
    draws = iter([value[i] for value, i in zip(listed, index, strict=True)])
    drawn = [
        next(draws) if value is not None else _drawn(energy, i, x, k, p, rng)
        for value, i, p in zip(values, infers, priors, strict=True)
    ]
    return drawn[0] if len(drawn) == 1 else tuple(drawn)


def _inferences(energy: FreeEnergy) -> list[Inference]:
    """An inference for each part of z, also of those that energies below reduce."""
    found = [*energy.infer.inferences] if isinstance(energy.infer, Product) else [energy.infer]
    inner = energy.energy
    while isinstance(inner, FreeEnergy) and inner.part is not None:
        found.insert(inner.part, inner.infer)
        inner = inner.energy
    return found


def _turns(listed: list[Tensor], k: int, *, repeats: bool, who: list[Inference]) -> list[Tensor]:
    """Which value of each list the k tuples hold."""
    if not listed:
        return []
    every = torch.cartesian_prod(*(torch.arange(len(value)) for value in listed))
    every = every.reshape(-1, len(listed))
    if len(every) < k and not repeats:
        names = ", ".join(type(infer).__name__ for infer in who)
        raise ConfigurationError(
            f"k is {k}, but {names} has {len(every)} atoms of weight above 0; ask for fewer"
        )
    return list(every[torch.arange(k) % len(every)].unbind(-1))


def _drawn(
    energy: FreeEnergy, infer: Inference, x: Tree, k: int, prior: Prior, rng: Rng
) -> Tensor:
    if prior is None:
        raise ConfigurationError(
            f"{type(infer).__name__} does not list the values of z: pass prior=…, such as "
            "inference.Vector(dim) for a standard normal"
        )
    tensors = [*leaves(x), *energy.parameters(), *energy.buffers()]
    like = next((t for t in tensors if t.is_floating_point()), torch.zeros(()))
    rng = require_generator(rng, "predict", like.device)
    if isinstance(prior, Density):
        return prior.sample(k, rng)
    return prior.distinct(k, rng, like.dtype)
