"""What inferences that find one z share: many starts, the lowest of what they reach, warnings."""

import copy
import warnings
from abc import ABC, abstractmethod
from typing import NamedTuple, Self, final

import torch
from torch import Size, Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._parts import single_ndim
from ebmlab._randomness import replayed
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DivergenceError, ShapeError
from ebmlab.free_energy import Inference, Posterior
from ebmlab.inference._atoms import data_batch, pick, starts_of_each
from ebmlab.inference.spaces import Smooth, Space
from ebmlab.types import Minimum, Potential, Rng, Tree, as_potential

__all__ = [
    "Found",
    "NotConvergedWarning",
    "PointInference",
    "clamped",
    "require_bounded",
    "require_smooth",
]


class NotConvergedWarning(UserWarning):
    """An iteration took all its steps and did not reach its tolerance in every row."""


class Found(NamedTuple):
    """Where a search ended, row by row, and which rows met what it was to meet."""

    argmin: Tensor
    energy: Tensor
    residual: Tensor
    converged: Tensor


class PointInference(Inference, ABC):
    """A solver, and the inference that runs it from many starts and keeps the lowest z per datum.

    A subclass writes `search`. On a non-convex energy the best of the starts is an upper bound of
    the minimum. The z found is a constant of the free energy, whose first derivatives are right
    all the same (envelope theorem: ∂z E = 0 there), while second ones lack its motion; where a
    loss sees z itself, see `Implicit`.

    Args:
        starts: where each datum's searches begin: (k, *event), or (k, *batch, *event) for
            starts of each datum's own. Needed for inference, not for `minimize`.
        steps: the most steps that a row takes.
        tolerance: τ; a row has converged where its residual, as a rule ‖∇u‖, is at most τ times
            the largest on its way, and the step to the minimum, by the curvature at z, at most τ
            times the way from its start. No unit and no offset of u or z plays a part; what is
            rounding has converged. None is √ε of the dtype, 1.5e-8 in float64 and 3.5e-4 in
            float32. A warning tells of rows that end before.
        chunk: how many starts are searched at a time, which bounds the memory; None: all.
        unroll: keep the graph of the search on z.

    Raises:
        ConfigurationError: there are no starts to infer from.
        NonFiniteError: u is not finite at a start.
        DivergenceError: u falls without bound.
        ShapeError: starts have fewer dimensions than k and z's event, or other batches than y.
    """

    point = True
    starts: Tensor | None

    def __init__(
        self,
        starts: Tensor | None,
        *,
        steps: int,
        tolerance: float | None,
        chunk: int | None,
        unroll: bool = False,
    ) -> None:
        super().__init__()
        require_counts(steps=steps, chunk=1 if chunk is None else chunk)
        if tolerance is not None:
            require_positive("tolerance", tolerance)
        self.register_buffer("starts", None if starts is None else starts.clone())
        self.steps, self.tolerance, self.chunk, self.unroll = steps, tolerance, chunk, unroll

    @abstractmethod
    def search(self, u: Potential, start: Tensor, *, unroll: bool) -> Found:
        """Minimize u from each row of start (rows, *event); `unroll` keeps the steps' graph."""

    def potential(self, energy: Energy, x: Tree, y: Tree, shape: Size, rng: Rng) -> Potential:
        """u(z) of rows that are `shape` laid flat; a solver that needs its parts asks for them."""
        return clamped(energy, x, y, shape, rng)

    @final
    def minimize(self, u: Potential, start: Tensor, *, unroll: bool = False) -> Minimum:
        """The minima reached from start (rows, *event)."""
        if start.ndim < 1 or len(start) == 0:
            raise ShapeError(f"start has shape {tuple(start.shape)}; it must be (rows, *event)")
        found = self.search(as_potential(u), start, unroll=unroll)
        self._warn(found.converged)
        return Minimum(found.argmin, found.energy, found.residual)

    @final
    def settled(
        self, residual: Tensor, scale: Tensor, largest: Tensor, rounding: Tensor
    ) -> Tensor:
        """Which rows have converged: residual <= τ scale, or no residual was more than rounding.

        Τ is √ε for None. What meets rounding later goes on: an offset of u adds to its estimate.
        """
        default = torch.finfo(residual.dtype).eps ** 0.5
        tolerance = default if self.tolerance is None else self.tolerance
        return (residual <= tolerance * scale) | (largest <= rounding)

    @final
    def resume(self, z: Tensor) -> Self:
        """The same inference, begun at z (*batch, *event): what an earlier one found, as a rule.

        Example:
            >>> from ebmlab import FunctionEnergy
            >>> from ebmlab.inference import Descent
            >>> energy = FunctionEnergy(lambda y, z: (y - z).square().sum(-1), ("y", "z"))
            >>> infer, y = Descent(torch.zeros(1, 2), steps=3), torch.ones(5, 2)
            >>> first = infer(energy, None, y)
            >>> later = infer.resume(first.atoms[0])(energy, None, y)
            >>> (later.residual < first.residual).all()
            tensor(True)
        """
        twin = copy.deepcopy(self)
        twin.starts = z.detach()[None].clone()
        return twin

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        if self.starts is None:
            raise ConfigurationError(
                f"{type(self).__name__} infers z from `starts` (k, *event); none were given"
            )
        return self.infer_from(self.starts, energy, x, y, rng=rng)

    @final
    def infer_from(
        self, starts: Tensor, energy: Energy, x: Tree, y: Tree, *, rng: Rng = None
    ) -> Posterior:
        """The lowest z reached from starts (k, *event) or (k, *batch, *event)."""
        batch = data_batch(energy, x, y)
        starts = starts_of_each(starts, single_ndim(energy), batch, type(self).__name__)
        best = [
            self._lowest(self.potential(energy, x, y, part.shape, rng), part, batch)
            for part in starts.split(self.chunk or len(starts))
        ]
        found = _pick(Found(*(torch.cat(parts) for parts in zip(*best, strict=True))))
        self._warn(found.converged)
        one, residual = torch.ones_like(found.energy), found.residual[0]
        return Posterior(found.argmin, one, torch.zeros_like(residual), residual)

    def _lowest(self, u: Potential, part: Tensor, batch: Size) -> Found:
        """The best of some starts (k, *batch, *event), each part (1, *batch, ...)."""
        event = part.shape[1 + len(batch) :]
        found = self.search(u, part.reshape(-1, *event), unroll=self.unroll)
        lead = part.shape[: 1 + len(batch)]
        return _pick(Found(*(t.reshape(*lead, *t.shape[1:]) for t in found)))

    def _warn(self, converged: Tensor) -> None:
        if not bool(converged.all()):
            warnings.warn(
                f"{type(self).__name__}(steps={self.steps}, tolerance={self.tolerance}) ended "
                "before every row had converged: `residual` says how far; raise one of the two",
                NotConvergedWarning,
                stacklevel=3,
            )


def _pick(found: Found) -> Found:
    """The lowest along the first dimension."""
    best = found.energy.argmin(0, keepdim=True)
    return Found(*(pick(part, best) for part in found))


def clamped(energy: Energy, x: Tree, y: Tree, shape: Size, rng: Rng) -> Potential:
    """u(z) = E(x, y, z) of rows (n, *event) that are (k, *batch, *event) laid flat."""
    replay = replayed(rng, type(energy).__name__) if energy.stochastic else lambda: None

    return Potential(lambda z: energy(x, y, z.reshape(shape), rng=replay()).flatten())


def require_bounded(energy: Tensor, floor: Tensor) -> None:
    """Raise where an energy (rows,) has fallen below the floor of its row."""
    low = ~(energy >= floor)
    if bool(low.any()):
        row = int(low.nonzero()[0])
        raise DivergenceError(
            f"row {row}: the energy falls without bound (now {float(energy[row])}); an energy "
            "must be bounded below: check its sign, or add a term that holds the variable"
        )


def require_smooth(space: Space | None, starts: Tensor | None) -> Smooth | None:
    """The space; raises where there is nothing to descend along, or starts lie outside it."""
    if space is None:
        return None
    if not isinstance(space, Smooth):
        raise ConfigurationError(f"{space} is finite: try its atoms() with Enumerate")
    if starts is not None:
        space.require("starts", starts)
    return space
