"""`think`: answers by descent, thought after thought, until the energy no longer falls."""

from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import leading_shape, leaves, require_counts, require_non_negative
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._rows import rows
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.inference._atoms import pick, starts_of_each
from ebmlab.objectives import Unrolled
from ebmlab.prediction.candidates import require_apart
from ebmlab.protocols import Method, Solver
from ebmlab.types import Potential, Tree

__all__ = ["Thoughts", "think"]


class Thoughts(NamedTuple):
    """Where k starts of every x stood before the first thought and after each one.

    Attributes:
        y: (steps + 1, k, *batch, *event).
        energies: (steps + 1, k, *batch).
        taken: how many thoughts each start took, (k, *batch).
    """

    y: Tensor
    energies: Tensor
    taken: Tensor

    @property
    def answer(self) -> Tensor:
        """The end of lowest energy, for every x: (*batch, *event)."""
        best = self.energies[-1].argmin(0, keepdim=True)
        return pick(self.y[-1], best)[0]


@torch.no_grad()
def think(
    method: Method | Energy,
    x: Tree,
    start: Tensor,
    *,
    solver: Solver | None = None,
    steps: int = 8,
    tolerance: float | None = None,
) -> Thoughts:
    """Descend E(x, ·) from k starts for every x, and keep where they stood after each thought.

    A thought is one call of the solver. With a tolerance τ a start stops by itself: once a thought
    lowers its energy by no more than τ times all that it fell so far, it thinks no more and costs
    nothing; a thought that raised the energy is taken back. The energy alone decides, so that
    no unit and no offset of it plays a part.

    Args:
        method: a method or its energy of continuous y.
        x: (*batch, *event), None where the energy takes no x.
        start: (k, *event), or (k, *batch, *event): starts of each x.
        solver: None takes that of the method's `Unrolled`.
        steps: the most thoughts.
        tolerance: τ >= 0; None takes all steps.

    Raises:
        ConfigurationError: there is no solver, the energy draws random numbers, or the energy of
            one datum depends on the others.
        ShapeError: starts do not fit x and y.

    Example:
        >>> from ebmlab.energies import SquaredDistance
        >>> from ebmlab.inference import FixedSteps
        >>> x, start = torch.ones(3, 2), torch.zeros(1, 2)
        >>> found = think(SquaredDistance(), x, start, solver=FixedSteps(0.25), steps=2)
        >>> found.energies[:, 0, 0], found.answer[0]
        (tensor([2.0000, 0.5000, 0.1250]), tensor([0.7500, 0.7500]))

    Source: Gladstone et al. 2025, arXiv:2507.02092; Du, Li, Tenenbaum, Mordatch 2022,
    arXiv:2206.15448 (a stop by the energy).
    """
    energy = method.energy if isinstance(method, Method) else method
    event = _event_of(energy)
    require_counts(steps=steps)
    if tolerance is not None:
        require_non_negative("tolerance", tolerance)
    solver = _solver_of(method) if solver is None else solver
    if energy.takes_x and x is None:
        raise ConfigurationError(f"x is None, but {type(energy).__name__} takes one")
    batch = leading_shape("x", x, energy.x_ndim) if energy.takes_x else torch.Size()
    start = starts_of_each(require_floats("start", start), event, batch, "think")
    many = start.shape[: 1 + len(batch)]
    y = precise(start).reshape(many.numel(), *start.shape[1 + len(batch) :])
    facing = _Facing(energy, x, many, start.dtype)
    everyone = torch.arange(len(y), device=y.device)
    e = first = facing.potential(everyone)(y)
    live, taken = torch.ones_like(everyone, dtype=torch.bool), torch.zeros_like(everyone)
    way, heights = [y], [e]
    for _ in range(steps):
        awake = everyone[live]
        if len(awake):
            found = solver.minimize(facing.potential(awake), y[awake])
            better = torch.ones_like(awake, dtype=torch.bool)
            if tolerance is not None:
                better = found.energy <= e[awake]
                live = live.index_put((awake,), _falls(first, e, found.energy, awake, tolerance))
            y = y.index_put((awake,), torch.where(rows(better, y), found.argmin, y[awake]))
            e = e.index_put((awake,), torch.where(better, found.energy, e[awake]))
            taken[awake] += 1
        way.append(y)
        heights.append(e)
    y, e = torch.stack(way), torch.stack(heights)
    return Thoughts(y.reshape(len(y), *start.shape), e.reshape(len(e), *many), taken.reshape(many))


def _falls(first: Tensor, now: Tensor, new: Tensor, awake: Tensor, tolerance: float) -> Tensor:
    """Whether rows fell by more than τ times their whole fall."""
    return now[awake] - new > tolerance * (first[awake] - new).clamp(min=0)


class _Facing(NamedTuple):
    """Potentials of some of the rows (k, *batch) laid flat, each with its x."""

    energy: Energy
    x: Tree
    many: torch.Size
    dtype: torch.dtype

    def potential(self, which: Tensor) -> Potential:
        u = self.energy.given(self._rows(which))
        if self.dtype == torch.promote_types(self.dtype, torch.float32):
            return u
        return Potential(lambda y: u(y.to(self.dtype)))

    def _rows(self, which: Tensor) -> Tree:
        if not self.energy.takes_x:
            return None
        kinds, parts = self.energy.x_ndim, leaves(self.x, "x")
        each = kinds if isinstance(kinds, tuple) else (kinds,) * len(parts)
        taken = tuple(
            leaf if n is None else self._laid(leaf, n)[which]
            for leaf, n in zip(parts, each, strict=True)
        )
        return taken if isinstance(self.x, tuple) else taken[0]

    def _laid(self, leaf: Tensor, ndim: int) -> Tensor:
        event = leaf.shape[leaf.ndim - ndim :]
        return leaf.expand(*self.many, *event).reshape(self.many.numel(), *event)


def _event_of(energy: Energy) -> int:
    """The event dimensions of y, whose energy must be one function all the way."""
    require_apart(energy)
    if energy.stochastic or isinstance(energy.y_ndim, tuple):
        why = "draws random numbers" if energy.stochastic else "takes several y at once"
        raise ConfigurationError(
            f"{type(energy).__name__} {why}, and thinking lowers one function of one y; use an "
            "inference of z that draws none, and an energy of one tensor y"
        )
    return energy.y_ndim


def _solver_of(method: Method | Energy) -> Solver:
    parts = method.objective.modules() if isinstance(method, Method) else ()
    for part in parts:
        if isinstance(part, Unrolled):
            return part.solver
    raise ConfigurationError(
        f"{type(method).__name__} was not trained by Unrolled: pass solver=…, such as "
        "inference.Descent(steps=1)"
    )
