"""`plan`: the sequence of z that leads from x to a goal."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves, require_counts
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference.spaces import Finite, Smooth, Space
from ebmlab.prediction._planners.planner import Course, Planner
from ebmlab.prediction.dynamics import dynamics, energy_of
from ebmlab.protocols import Method
from ebmlab.types import Rng, Tree

__all__ = ["Plan", "plan"]


class Plan(NamedTuple):
    """A way to the goal from every start.

    Attributes:
        z: (n, horizon, *event), in the order of time.
        energies: of the whole way, (n,).
        reached: the states it is thought to end in, (n, *event): codes, or y itself.
    """

    z: Tensor
    energies: Tensor
    reached: Tensor


@torch.no_grad()
def plan(
    method: Method | Energy,
    x: Tree,
    goal: Tensor,
    planner: Planner,
    horizon: int,
    *,
    rng: Rng = None,
    prior: Space | None = None,
) -> Plan:
    """The z_1 … z_T whose rollout from x ends nearest to the goal: the way of lowest energy.

    E(x_{T-1}, goal, z_T) + Σ_{t<T} R(z_t), where x_t = p(x_{t-1}, z_t) are the states of
    `rollout` and R is the energy's prior of z, if it has one. All starts are planned for side by
    side. One step is inference: the z of lowest E(x, goal, z). Modules stay in the mode that they
    are in, and nothing is left on parameters.

    Args:
        method: a method or its energy: a `FreeEnergy` of a `Reconstruction`, or of a
            `JointEmbedding` whose head is one.
        x: (n, *event); None where the energy takes no x, with a horizon of 1.
        goal: (n, *event), or (1, *event) for all.
        planner: `Exhaustive()`, `CEM()`, `MPPI()` or `Gradient()`.
        horizon: T >= 1.
        rng: for planners that draw.
        prior: where each z lives if the inference does not list its values, or to move freely
            where it does: `inference.Vector(dim)`, `Circle()`.

    Raises:
        ConfigurationError: nothing is decoded, z's values are unknown, or the planner cannot
            search them.
        ShapeError: x and goal do not fit, or y is not of x's kind and the horizon is more than 1.

    Example:
        >>> from torch import nn
        >>> from ebmlab import methods
        >>> from ebmlab.prediction import Exhaustive
        >>> class Move(nn.Module):
        ...     def forward(self, x, z):
        ...         return x + z
        >>> method = methods.latent_prediction(Move(), torch.tensor([[-1.0], [0.0], [1.0]]))
        >>> way = plan(method, torch.tensor([[3.0]]), torch.tensor([[1.0]]), Exhaustive(), 2)
        >>> way.z.flatten(), way.reached
        (tensor([-1., -1.]), tensor([[1.]]))

    Source: LeCun 2022, "A path towards autonomous machine intelligence".
    """
    require_counts(horizon=horizon)
    energy = energy_of(method)
    n = _starts(energy, x, goal)
    course = dynamics(energy, x, goal)
    atoms, space = _choices(energy, prior)
    like = next(t for t in (*leaves(course.start), *leaves(course.goal)) if t.is_floating_point())
    atoms = None if atoms is None else atoms.to(like)
    z, energies = planner(Course(course.cost, n, horizon, atoms, space, like), rng)
    reached = course.states(z, horizon)[-1]
    assert isinstance(reached, Tensor)
    return Plan(z, energies, reached)


def _starts(energy: Energy, x: Tree, goal: Tensor) -> int:
    """How many ways to plan: a row of x, or else of the goal, for each."""
    batches = [leading_shape("goal", goal, energy.y_ndim)]
    if energy.takes_x:
        batches.insert(0, leading_shape("x", x, energy.x_ndim))
    if any(len(batch) != 1 for batch in batches) or batches[-1][0] not in {1, batches[0][0]}:
        raise ShapeError(
            f"x and goal have the batches {[tuple(b) for b in batches]}; expected (n,) and (n,), "
            "or (1,) for one goal of all"
        )
    return batches[0][0]


def _choices(energy: Energy, prior: Space | None) -> tuple[Tensor | None, Smooth | None]:
    """The values of each z where they are listed, or else the space that z lives in."""
    if isinstance(prior, Finite):
        return prior.atoms(), None
    if isinstance(prior, Smooth):
        return None, prior
    atoms = energy.infer.possible() if isinstance(energy, FreeEnergy) else None
    if not isinstance(atoms, Tensor):
        raise ConfigurationError(
            f"{type(energy).__name__} does not list the values of one z: pass prior=…, such as "
            "inference.Vector(dim), Circle() or OneHot(k)"
        )
    return atoms, None
