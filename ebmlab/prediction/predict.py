"""`predict`: several answers y to one x, each with its z and its energy."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, require_counts
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference._atoms import in_front, spread
from ebmlab.prediction.latents import Prior, latents
from ebmlab.protocols import Method
from ebmlab.types import Rng, Tree

__all__ = ["Predictions", "predict"]


class Predictions(NamedTuple):
    """K predictions of y for every x.

    Attributes:
        y: (k, *batch, *event).
        energies: F(x, y), (k, *batch).
        z: what each was decoded from, (k, *batch, *event); None for candidates.
    """

    y: Tensor
    energies: Tensor
    z: Tree


@torch.no_grad()
def predict(
    method: Method | Energy,
    x: Tree,
    k: int,
    *,
    rng: Rng = None,
    prior: Prior | tuple[Prior, ...] = None,
    candidates: Tensor | None = None,
) -> Predictions:
    """k predictions ŷ = g(x, z), one for each of k values of z, and their energies F(x, ŷ).

    The k values of z are the same for every x. They are atoms where z is enumerated, the most
    probable first (of equal ones in their order); otherwise draws of `prior`, in the order drawn,
    points of a finite space without replacement. Either way the first of k are predictions too,
    so that the best of the first 1, 2, … k never gets worse. Of a z of several parts, those that
    are enumerated run through all their tuples in turn, and the others are drawn.

    Where y is one of finitely many `candidates`, nothing is decoded: the k of lowest energy are
    given, the lowest first. Modules stay in the mode that they are in.

    Args:
        method: a method or its energy; without candidates a `FreeEnergy` of a `Reconstruction`,
            or of a `JointEmbedding` whose head is one and whose target is y itself.
        x: (*batch, *event), None where the energy takes no x.
        k: how many.
        rng: for draws of z, and for energies that are stochastic.
        prior: what z is drawn from where it is not enumerated: uniform on a `Space`, standard
            normal on `Vector`, or a `Density`; a tuple where z has several parts, None for those
            that are enumerated.
        candidates: values of y, (m, *event).

    Raises:
        ConfigurationError: k < 1, fewer than k codes or candidates, no decoder, prior or rng.

    Example:
        >>> from ebmlab import methods
        >>> from ebmlab.networks import MLP, Choice
        >>> method = methods.latent_prediction(Choice(MLP(1, 3 * 2), codes=3), torch.eye(3))
        >>> found = predict(method, torch.zeros(5, 1), k=2)
        >>> found.y.shape, found.energies.shape, found.z.shape
        (torch.Size([2, 5, 2]), torch.Size([2, 5]), torch.Size([2, 5, 3]))

    Source: LeCun 2022, "A path towards autonomous machine intelligence".
    """
    energy = method.energy if isinstance(method, Method) else method
    require_counts(k=k)
    batch = leading_shape("x", x, energy.x_ndim) if energy.takes_x else torch.Size()
    if candidates is not None:
        return _ranked(energy, x, k, candidates, batch, rng)
    decode = energy.decoding()
    if decode is None or not isinstance(energy, FreeEnergy):
        raise ConfigurationError(
            f"{type(energy).__name__} decodes no y from z: pass candidates=…, or draw y by "
            "run(sampler, energy.given(x), start, …)"
        )
    z = latents(energy, x, k, prior, rng)
    z = mapped(partial(in_front, batch=batch), z)
    y = spread(decode(x, z), batch)
    energies = torch.stack([energy(x, each, rng=rng) for each in y])
    return Predictions(y, energies, mapped(partial(spread, batch=batch), z))


def _ranked(
    energy: Energy, x: Tree, k: int, candidates: Tensor, batch: torch.Size, rng: Rng
) -> Predictions:
    """The k candidates (m, *event) of lowest energy, the lowest first."""
    ndim = candidates.ndim - 1
    if energy.y_ndim != ndim:
        raise ShapeError(
            f"candidates has shape {tuple(candidates.shape)}; it must be (m, *event), with "
            f"{energy.y_ndim} event dimensions"
        )
    if len(candidates) < k:
        raise ConfigurationError(f"k is {k}, but there are {len(candidates)} candidates")
    energies = torch.stack(
        [energy(x, each.expand(*batch, *each.shape), rng=rng) for each in candidates]
    )
    best = energies.argsort(dim=0, stable=True)[:k]
    return Predictions(candidates[best], energies.gather(0, best), None)
