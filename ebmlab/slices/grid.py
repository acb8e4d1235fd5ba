"""The energy on a grid of a plane: the numbers that pictures are made of."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DtypeError, NonFiniteError
from ebmlab.slices.plane import Plane
from ebmlab.types import Potential, as_potential

__all__ = ["Landscape", "landscape", "require_no_couples"]

# Evaluated at a time: at most so many points, of together so many numbers; a GPU needs more.
POINTS, NUMBERS, NUMBERS_CUDA = 2**14, 2**16, 2**22


@dataclass(frozen=True, eq=False)
class Landscape:
    """An energy on a grid of a plane, detached.

    Attributes:
        energy: (len(b), len(a)): rows are b, columns a.
        a, b: the grid's coordinates, increasing and evenly spaced.
        plane: where the grid lies.
    """

    energy: Tensor
    a: Tensor
    b: Tensor
    plane: Plane

    def density(self, temperature: float = 1.0) -> Tensor:
        """exp(-E/T) / ∫∫ exp(-E/T) da db over the window by the trapezoid rule, (len(b), len(a)).

        Raises:
            NonFiniteError: an energy is NaN or -∞, or none is finite.

        Example:
            >>> flat = landscape(lambda y: 0 * y.sum(-1), Plane.xy(), lo=0.0, hi=2.0, resolution=3)
            >>> flat.density()[0]
            tensor([0.2500, 0.2500, 0.2500])
        """
        logits, log_mass = self._above(temperature)
        return (logits - log_mass).exp().to(precise(self.energy))

    def log_z(self, temperature: float = 1.0) -> Tensor:
        """log ∫∫ exp(-E/T) da db over the window, by the same rule; raises as `density`.

        Example:
            >>> flat = landscape(lambda y: 0 * y.sum(-1), Plane.xy(), lo=0.0, hi=2.0, resolution=3)
            >>> flat.log_z().exp()
            tensor(4., dtype=torch.float64)
        """
        log_mass = self._above(temperature)[1]
        return log_mass - self.energy.min().double() / temperature

    def _above(self, temperature: float) -> tuple[Tensor, Tensor]:
        """-(E - min E) / T, and the log of the integral of its exponential; float64."""
        require_positive("temperature", temperature)
        self._require_energies()
        energy = self.energy.double()
        logits = -(energy - energy.min()) / temperature
        weights = _log_trapezoid(self.b)[:, None] + _log_trapezoid(self.a)
        return logits, (logits + weights).flatten().logsumexp(0)

    def sample(self, n: int, rng: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Independent draws (n, *event) of `density`: a point of the grid, and evenly around it.

        Without chains, and exact but for the grid: choose it finer than what the energy shows.

        Args:
            n: how many.
            rng: a generator on the landscape's device.
            temperature: T of exp(-E/T).

        Raises:
            NonFiniteError: an energy is NaN or -∞, or none is finite.
            ConfigurationError: n < 1, or there is no rng.

        Example:
            >>> square = landscape(lambda y: 0 * y.sum(-1), Plane.xy(), lo=0.0, hi=1.0)
            >>> draws = square.sample(1000, torch.Generator().manual_seed(0))
            >>> draws.shape, bool(((draws >= 0) & (draws <= 1)).all())
            (torch.Size([1000, 2]), True)
        """
        require_counts(n=n)
        rng = require_generator(rng, "sample", self.a.device)
        weights = (_log_trapezoid(self.b)[:, None] + _log_trapezoid(self.a)).exp()
        mass = weights.flatten() * self.density(temperature).flatten()
        index = torch.multinomial(mass, n, replacement=True, generator=rng)
        a = _spread(self.a, index % len(self.a), rng)
        return self.plane.points(a, _spread(self.b, index // len(self.a), rng))

    def minimum(self) -> tuple[Tensor, Tensor]:
        """The grid's point of least energy (*event), and its energy; raises as `density`.

        Example:
            >>> u = lambda y: (y - 1).square().sum(-1)
            >>> landscape(u, Plane.xy(), resolution=7).minimum()
            (tensor([1., 1.]), tensor(0.))
        """
        self._require_energies()
        index = self.energy.argmin()
        row, column = index // len(self.a), index % len(self.a)
        return self.plane.points(self.a[column], self.b[row]), self.energy[row, column]

    def _require_energies(self) -> None:
        if not bool(self.energy.amin().isfinite()):
            odd = int(self.energy.isfinite().logical_not().sum())
            raise NonFiniteError(
                f"energy {tuple(self.energy.shape)} holds NaN or -inf, or nothing finite: {odd} "
                "points are not finite; choose a window where the energy is defined"
            )


def _log_trapezoid(grid: Tensor) -> Tensor:
    weights = (grid[1] - grid[0]).double().log().repeat(len(grid))
    weights[[0, -1]] -= math.log(2)
    return weights


def _spread(grid: Tensor, index: Tensor, rng: torch.Generator) -> Tensor:
    """Points drawn evenly from the cells around those of a grid; those at its ends are halved."""
    step, noise = grid[1] - grid[0], torch.rand(index.shape, generator=rng, device=grid.device)
    moved = grid[index] + step * (noise.to(grid.dtype) - 0.5)
    return grid[-1] - (grid[-1] - (grid[0] + (moved - grid[0]).abs())).abs()


def require_no_couples(u: Potential) -> Potential:
    """The potential, unless the energy it was made from is no function of one y."""
    if isinstance(u.origin, Energy) and u.origin.couples:
        raise ConfigurationError(
            f"{type(u.origin).__name__} couples the rows of a batch (couples): its energy at a "
            "point depends on the other points, so there is no landscape of it; draw the energy "
            "it is made of, with z clamped"
        )
    return u


def _pair(name: str, value: float | tuple[float, float]) -> tuple[float, float]:
    a, b = value if isinstance(value, tuple) else (value, value)
    if not (math.isfinite(a) and math.isfinite(b)):
        raise ConfigurationError(f"{name} is {value}; it must be finite")
    return a, b


@torch.no_grad()
def landscape(
    u: Callable[[Tensor], Tensor],
    plane: Plane,
    lo: float | tuple[float, float] = -3.0,
    hi: float | tuple[float, float] = 3.0,
    resolution: int | tuple[int, int] = 100,
    *,
    chunk: int | None = None,
) -> Landscape:
    """Evaluate a potential on a grid of a plane, without gradients and in bounded memory.

    Args:
        u: any callable (n, *event) -> (n,), as `energy.given(x)`.
        plane: where; its tensors' device and dtype are those of the points.
        lo: where the window begins, in the plane's coordinates; a pair is (a, b).
        hi: where it ends.
        resolution: grid points along each axis, ends included; a pair is (a, b).
        chunk: points evaluated at a time; None takes fewer the larger they are, so that what a
            network makes of them stays in a processor's cache.

    Raises:
        ConfigurationError: lo >= hi, resolution < 2, chunk < 1, or an energy that couples the rows
            of a batch, which is no function of one y.
        ShapeError: u does not return one energy per row.
        DtypeError: u returns integers.

    Example:
        >>> bowl = landscape(lambda y: y.square().sum(-1), Plane.xy(), lo=-1, hi=1, resolution=3)
        >>> bowl.energy
        tensor([[2., 1., 2.],
                [1., 0., 1.],
                [2., 1., 2.]])
    """
    (a_lo, b_lo), (a_hi, b_hi) = _pair("lo", lo), _pair("hi", hi)
    if a_lo >= a_hi or b_lo >= b_hi:
        raise ConfigurationError(f"lo is {lo}, hi {hi}; lo must lie below hi in a and in b")
    columns, rows = resolution if isinstance(resolution, tuple) else (resolution, resolution)
    if min(columns, rows) < 2:
        raise ConfigurationError(f"resolution is {resolution}; it must be at least 2")
    chunk = _chunk(plane.origin) if chunk is None else chunk
    require_counts(chunk=chunk)
    potential = require_no_couples(as_potential(u))
    origin = precise(plane.origin)
    a = torch.linspace(a_lo, a_hi, columns, dtype=origin.dtype, device=origin.device)
    b = torch.linspace(b_lo, b_hi, rows, dtype=origin.dtype, device=origin.device)
    energies = [
        potential(plane.points(a[index % columns], b[index // columns]))
        for index in torch.arange(rows * columns, device=origin.device).split(chunk)
    ]
    if not energies[0].is_floating_point():
        raise DtypeError(f"u returned {energies[0].dtype}; convert its energies with .float()")
    return Landscape(torch.cat(energies).unflatten(0, (rows, columns)), a, b, plane)


def _chunk(point: Tensor) -> int:
    """How many points like this are worth evaluating at a time."""
    numbers = NUMBERS_CUDA if point.is_cuda else NUMBERS
    return max(1, min(POINTS, numbers // max(1, point.numel())))
