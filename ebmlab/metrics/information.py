"""What z carries: nats of its posterior, nats at most, and what knowing it is worth."""

from functools import partial

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves
from ebmlab._kinds import require_a
from ebmlab._rows import mapped
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference._atoms import data_batch, in_front
from ebmlab.types import Rng, Tree

__all__ = ["gain", "information"]

_MEND = "one that infers z, such as method.energy"


@torch.no_grad()
def information(energy: Energy, x: Tree, y: Tree, rng: Rng = None) -> Tensor:
    """KL(q(z | x, y) || prior) in nats (*batch): how far knowing y moves what is known of z.

    Inferences that find one z say 0, and so do those whose `bound` is "gradient", since they do
    not know.

    Raises:
        ConfigurationError: the energy is no `FreeEnergy`.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), ("y", "z"))
        >>> free = FreeEnergy(energy, Enumerate(torch.tensor([[-1.0], [1.0]])), temperature=0.1)
        >>> information(free, None, torch.tensor([[0.0], [1.0]]))
        tensor([0.0000, 0.6931])

    Source: Hinton, van Camp 1993; Kingma, Welling 2014, arXiv:1312.6114.
    """
    return require_a(FreeEnergy, "energy", energy, _MEND).posterior(x, y, rng=rng).information


@torch.no_grad()
def gain(energy: Energy, x: Tree, y: Tree, z: Tree, rng: Rng = None) -> Tensor:
    """ΔF = F_prior - F: by how much inferring z lowers the energy of y, against guessing it.

    F_prior is the mean of E(x, y, z) over z of the prior: the free energy at infinite temperature,
    where y tells nothing of z. It is never below F where F is exact and z runs over the whole
    prior, and near 0 where the model does not use z. z (k, *event) holds draws of the prior, or
    all its equally likely codes; the result is (*batch), in the units of the energy.

    Raises:
        ConfigurationError: the energy is no `FreeEnergy`.
        ShapeError: z is not (k, *event).

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), ("y", "z"))
        >>> codes = torch.tensor([[-1.0], [1.0]])
        >>> gain(FreeEnergy(energy, Enumerate(codes)), None, torch.tensor([[0.0], [1.0]]), codes)
        tensor([0., 2.])
    """
    free = require_a(FreeEnergy, "energy", energy, _MEND)
    inner = free.energy
    if len(leading_shape("z", z, inner.z_ndim)) != 1:
        shapes = [tuple(part.shape) for part in leaves(z)]
        raise ShapeError(
            f"z has shape {shapes}; expected (k, *event), k >= 1, with {inner.z_ndim} event "
            "dimensions"
        )
    batch = data_batch(inner, x, y)
    guessed = inner(x, y, mapped(partial(in_front, batch=batch), z), rng=rng).mean(0)
    return guessed - free(x, y, rng=rng)
