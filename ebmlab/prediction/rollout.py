"""`rollout` and `inverse`: from z to the states that follow, and from what is seen to z."""

import torch
from torch import Tensor

from ebmlab._checks import require_tensor
from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference._atoms import pick
from ebmlab.prediction.dynamics import dynamics, energy_of
from ebmlab.protocols import Method
from ebmlab.types import Rng

__all__ = ["inverse", "rollout"]


def rollout(method: Method | Energy, x: Tensor, z: Tensor) -> Tensor:
    """The states that z_1 … z_t lead to from x: h_0 = f(x), h_i = p(h_{i-1}, z_i).

    They are codes where the energy compares codes, predicted ones as they are; and y itself where
    it decodes y, as `methods.latent_prediction` does of a y of x's kind. Modules stay in the mode
    that they are in; gradients reach x, z and all parameters.

    Args:
        method: a method or its energy: a `FreeEnergy` of a `Reconstruction`, or of a
            `JointEmbedding` whose head is one.
        x: (n, *event).
        z: (n, t, *event), in the order of time.

    Returns:
        (n, 1 + t, *event).

    Raises:
        ConfigurationError: the energy decodes nothing, or takes no x.
        ShapeError: z is not (n, t, *event), or y is not of x's kind.

    Example:
        >>> from torch import nn
        >>> from ebmlab import methods
        >>> class Move(nn.Module):
        ...     def forward(self, x, z):
        ...         return x + z
        >>> method = methods.latent_prediction(Move(), torch.eye(2))
        >>> rollout(method, torch.zeros(1, 2), torch.eye(2)[None, [0, 0, 1]])
        tensor([[[0., 0.],
                 [1., 0.],
                 [2., 0.],
                 [2., 1.]]])

    Source: LeCun 2022, "A path towards autonomous machine intelligence".
    """
    energy = energy_of(method)
    x, z = require_tensor("x", x), require_tensor("z", z)
    course = dynamics(energy, x, x)
    if course.start is None:
        raise ConfigurationError(f"{type(energy).__name__} takes no x to roll out from")
    if z.ndim != 2 + course.z_ndim or len(z) != len(x):
        raise ShapeError(
            f"z has shape {tuple(z.shape)} for x {tuple(x.shape)}; it must be (n, t, *event), "
            f"with {course.z_ndim} event dimensions and a row for each x"
        )
    states = [require_tensor("state", h) for h in course.states(z, z.shape[1])]
    if states[-1].shape != states[0].shape:
        raise ShapeError(
            f"a step leads from {tuple(states[0].shape)} to {tuple(states[-1].shape)}: y is not "
            "of x's kind, and no step can follow; see predict"
        )
    return torch.stack(states, dim=1)


@torch.no_grad()
def inverse(method: Method | Energy, frames: Tensor, *, rng: Rng = None) -> Tensor:
    """What happened between the moments of films: the likeliest z of each pair that follow.

    z_t = argmax q(z | x = frame_t, y = frame_{t+1}), all pairs at once; the z of lowest energy
    where the free energy is at temperature 0.

    Args:
        method: a method or its energy, a `FreeEnergy`.
        frames: (n, length >= 2, *event).
        rng: where z is drawn.

    Returns:
        (n, length - 1, *event).

    Raises:
        ConfigurationError: no z is inferred.
        ShapeError: there is one moment only.

    Example:
        >>> from ebmlab import FunctionEnergy
        >>> from ebmlab.inference import Enumerate
        >>> energy = FunctionEnergy(lambda x, y, z: (x + z - y).square().sum(-1), ("x", "y", "z"))
        >>> free = FreeEnergy(energy, Enumerate(torch.tensor([[-1.0], [0.0], [1.0]])))
        >>> inverse(free, torch.tensor([[[0.0], [1.1], [1.0], [0.1]]])).flatten()
        tensor([ 1.,  0., -1.])
    """
    energy, frames = energy_of(method), require_tensor("frames", frames)
    if not isinstance(energy, FreeEnergy):
        raise ConfigurationError(
            f"{type(energy).__name__} infers no z: pass FreeEnergy(energy, infer)"
        )
    if frames.ndim < 2 or frames.shape[1] < 2:
        raise ShapeError(
            f"films: frames have shape {tuple(frames.shape)}; expected (n, length >= 2, *event)"
        )
    q = energy.posterior(frames[:, :-1], frames[:, 1:], rng=rng)
    z = q.single()
    weights = q.weights.expand(z.shape[: z.ndim - single_ndim(energy.energy)])
    return pick(z, weights.argmax(0, keepdim=True))[0]
