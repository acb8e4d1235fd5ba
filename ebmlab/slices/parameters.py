"""The energy over the parameters that y is made from."""

from collections.abc import Callable

from torch import Tensor

from ebmlab._batch_norms import batch_norms
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Potential, Rng, Tree

__all__ = ["over_parameters"]


def over_parameters(
    energy: Energy, x: Tree, at: Callable[[Tensor, Tensor], Tensor], *, rng: Rng = None
) -> Potential:
    """u(a, b) = E(x, y(a, b)): a potential of the points (a, b), for `landscape(u, Plane.xy())`.

    With y(a, b) a view of an image, such as its crop at a turned by b, it shows which changes the
    energy sees. It has a gradient in a and b where y has.

    Args:
        energy: without a free z; reduce one with `FreeEnergy`.
        x: one datum, without a batch or with a batch of one.
        at: the y (n, *event) of a (n,) and b (n,).
        rng: needed by a stochastic energy; its present state is replayed at each call.

    Raises:
        ConfigurationError: the energy couples the rows of a batch or has a free z, or a
            stochastic energy has no rng.

    Example:
        >>> import torch
        >>> from ebmlab.data.views import Rotate
        >>> from ebmlab.energies import SquaredDistance
        >>> from ebmlab.slices import Plane, landscape
        >>> image = torch.rand(1, 1, 8, 8)
        >>> def turned_and_dimmed(angle, share):
        ...     turned = Rotate().apply(image.expand(len(angle), -1, -1, -1), (angle,))
        ...     return share[:, None, None, None] * turned
        >>> u = over_parameters(SquaredDistance(3), image, turned_and_dimmed)
        >>> picture = landscape(u, Plane.xy(), lo=(-90.0, 0.0), hi=(90.0, 1.0), resolution=3)
        >>> picture.energy.shape, bool(picture.energy[2, 1] < 1e-6)
        (torch.Size([3, 3]), True)
    """
    who = type(energy).__name__
    if energy.couples or energy.takes_z:
        raise ConfigurationError(
            f"{who} has couples {energy.couples}, takes_z {energy.takes_z}: its energy is not a "
            "function of one x and y; take the energy it is made of, or reduce z with FreeEnergy"
        )
    names = batch_norms(energy)
    if names:
        raise ConfigurationError(
            f"{who} normalizes over the batch in {', '.join(names[:3])}: put the method into "
            "evaluation mode by .eval()"
        )
    u = energy.given(x, rng=rng)
    return Potential(lambda points: u(at(points[:, 0], points[:, 1])))
