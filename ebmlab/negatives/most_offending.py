"""The wrong answer that the energy likes best, as a negative."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_positive, require_tensor
from ebmlab._kinds import require_floats
from ebmlab._precise import precise
from ebmlab._randomness import fork, replayed
from ebmlab._rows import norms, rows
from ebmlab._shown import Shown
from ebmlab.energy import Energy
from ebmlab.inference import Descent
from ebmlab.negatives.coupling import batch_norm
from ebmlab.protocols import Draw, Negatives, Solver
from ebmlab.samplers._steps.start import noise_like
from ebmlab.types import Potential, Rng, Tree

__all__ = ["MostOffending"]


class MostOffending(Shown, Negatives):
    """The lowest E(x, y') found by descent from the data, with ‖y' - y‖ >= ε.

    Descents start in random directions at distance ε, and the lowest of their ends is taken: an
    upper bound of the minimum. Points within the ball around y stand for their
    projection on its sphere, along which the search then goes on.

    Args:
        epsilon: ε > 0, in the units of y: how far an answer must be off to be wrong.
        solver: of `ebmlab.inference`; 20 steps of `Descent` if left out.
        starts: how many descents per datum.

    Metrics: `distance` (mean ‖y' - y‖) and `batch_norm` (1 where it couples data and negatives).

    Raises:
        NonFiniteError: the energy or its gradient is not finite at a start.
        DivergenceError: the energy falls without bound.
        DtypeError: y is discrete.

    Example:
        >>> from ebmlab.energies import Gaussian
        >>> energy = Gaussian(torch.zeros(2), torch.eye(2))
        >>> draw = MostOffending(0.5)(energy, None, torch.zeros(4, 2), torch.Generator())
        >>> draw.energies.squeeze(1)
        tensor([0.1250, 0.1250, 0.1250, 0.1250])

    Source: LeCun et al. 2006, section 2.2.
    """

    shows = ("epsilon", "solver", "starts")

    def __init__(self, epsilon: float, solver: Solver | None = None, starts: int = 1) -> None:
        super().__init__()
        require_positive("epsilon", epsilon)
        require_counts(starts=starts)
        self.epsilon, self.starts = epsilon, starts
        self.solver = Descent(steps=20) if solver is None else solver

    def __call__(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Draw:
        """Energies (b, 1) where the descents end."""
        y = require_floats("y", require_tensor("y", y))
        energy.check(x, y)
        rng = require_generator(rng, "MostOffending", y.device)
        coupled = batch_norm(energy, y, stacklevel=3)
        end = self._searched(energy, x, y.detach(), rng)
        metrics = {"distance": norms(end - y.detach()).mean(), "batch_norm": coupled}
        return Draw(energy(x, end, rng=rng)[:, None], metrics)

    def _searched(self, energy: Energy, x: Tree, y: Tensor, rng: torch.Generator) -> Tensor:
        """The lowest end of the descents of each datum, like y."""
        # Steps of the descent would be lost in half precision.
        center = precise(y).repeat(self.starts, *[1] * (y.ndim - 1))
        # The energy's own noise must not be that of the starts, and stays the same all the way.
        own = fork(rng) if energy.stochastic else None
        replay = (lambda: None) if own is None else replayed(own, type(energy).__name__)

        def held(free: Tensor) -> Tensor:
            at = self._outside(free, center).reshape(self.starts, *y.shape)
            return energy(x, at.to(y.dtype), rng=replay()).flatten()

        way = noise_like(center, rng)
        start = self._outside(center + rows(self.epsilon / norms(way), way) * way, center)
        found = self.solver.minimize(Potential(held), start)
        best = found.energy.detach().reshape(self.starts, len(y)).argmin(0)
        ends = self._outside(found.argmin.detach(), center).reshape(self.starts, *y.shape)
        return ends[best, torch.arange(len(y), device=y.device)].to(y.dtype)

    def _outside(self, free: Tensor, center: Tensor) -> Tensor:
        """What lies within ε of the center, moved to the sphere."""
        way = free - center
        length = norms(way)
        within = length < self.epsilon
        # The center itself has no direction, and stays.
        away = way * rows(self.epsilon / length.masked_fill(length == 0, 1.0), way)
        return torch.where(rows(within, way), center + away, free)
