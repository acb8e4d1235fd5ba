"""Planning by the slope of the energy, through every step to z."""

from dataclasses import dataclass, field

from torch import Tensor

from ebmlab._checks import require_counts, require_generator
from ebmlab.inference import Descent
from ebmlab.prediction._planners.planner import Course, Planner
from ebmlab.protocols import Solver
from ebmlab.types import Potential, Rng

__all__ = ["Gradient"]


@dataclass(frozen=True, eq=False)
class Gradient(Planner):
    """Minimize the energy over all z_1 … z_T at once, from several draws, and keep the lowest.

    The slope goes through the predictor at every step. A solver that knows no space moves freely,
    and what it finds is brought back: an angle needs no more.

    Args:
        solver: any minimizer, `inference.Descent()` by default; `LBFGS()` warns where it has not
            converged.
        starts: how many draws of z's usual law each search begins from.

    Raises:
        ConfigurationError: z is one of a list, or rng is missing.

    Example:
        >>> from ebmlab.inference import Circle, Descent
        >>> Gradient(Descent(steps=50, space=Circle())).starts
        8

    Source: LeCun 2022, "A path towards autonomous machine intelligence", section 3.1.
    """

    solver: Solver = field(default_factory=Descent)
    starts: int = 8

    def __post_init__(self) -> None:
        require_counts(starts=self.starts)

    def search(self, course: Course, rng: Rng) -> Tensor:
        """What was found from each of the starts: (starts, n, horizon, dim)."""
        space, lead = course.smooth("Gradient"), (self.starts, course.n, course.horizon)
        rng = require_generator(rng, "Gradient", course.like.device)
        draws = space.draw(self.starts * course.n * course.horizon, rng, course.like.dtype)
        shape = (*lead, space.dim)
        rows = draws.reshape(-1, course.horizon, space.dim)
        u = Potential(lambda free: course.energy(free.reshape(shape)).flatten())
        return space.project(self.solver.minimize(u, rows).argmin.reshape(shape))
