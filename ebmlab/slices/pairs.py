"""The joint picture of a conditional energy."""

from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.energy import Energy, replayed
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.types import Potential, Rng

__all__ = ["over_pairs"]


def over_pairs(energy: Energy, x_dim: int = 1, *, rng: Rng = None) -> Potential:
    """The joint landscape of E(x, y), x and y vectors: a potential of the points (x, y) in one.

    Args:
        energy: without a free z; reduce one with `FreeEnergy`.
        x_dim: length of x; the rest of a point is y.
        rng: needed by a stochastic energy; its present state is replayed at each call.

    Raises:
        ConfigurationError: x or y is not a vector, z is free, or a stochastic energy has no rng.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> from ebmlab.slices import Plane, landscape
        >>> picture = landscape(over_pairs(SquaredDistance()), Plane.xy(), 0.0, 2.0, resolution=3)
        >>> picture.energy
        tensor([[0., 1., 4.],
                [1., 0., 1.],
                [4., 1., 0.]])
    """
    who = type(energy).__name__
    if (energy.takes_x and energy.x_ndim != 1) or energy.y_ndim != 1:
        raise ConfigurationError(
            f"{who} has x_ndim {energy.x_ndim} and y_ndim {energy.y_ndim}; a plane of pairs needs "
            "vectors, 1 and 1"
        )
    if energy.takes_z:
        raise ConfigurationError(f"{who} has a free z; reduce it with FreeEnergy first")
    require_counts(x_dim=x_dim)
    replay = replayed(rng, who) if energy.stochastic else lambda: None

    def joint(points: Tensor) -> Tensor:
        if points.shape[-1] <= x_dim:
            raise ShapeError(
                f"points have shape {tuple(points.shape)}, and x takes {x_dim} entries: none is "
                "left for y"
            )
        return energy(points[..., :x_dim], points[..., x_dim:], rng=replay())

    return Potential(joint)
