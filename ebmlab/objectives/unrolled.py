"""Learn what a solver finds: y is predicted by descent, and the loss goes back through it."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_non_negative, require_tensor
from ebmlab._kinds import name_of, require_floats
from ebmlab._precise import precise
from ebmlab._randomness import fork, replayed
from ebmlab._rows import row_sums
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, GradientError, ShapeError
from ebmlab.inference import FixedSteps
from ebmlab.negatives.coupling import batch_norm
from ebmlab.objectives.answers import Answers
from ebmlab.perturbations import Corruption
from ebmlab.protocols import Loss, Objective, Solver
from ebmlab.samplers._steps.start import noise_like, uniform_like
from ebmlab.types import Potential, Rng, Tree

__all__ = ["Unrolled"]

Judge = Callable[[Tensor, Tensor], Tensor]


def squared_distance(answer: Tensor, y: Tensor) -> Tensor:
    """‖ŷ - y‖² of rows (n, *event): (n,)."""
    return row_sums((answer - y).square())


def anywhere(y: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal points like y, which know nothing of it."""
    return noise_like(y, rng)


class Unrolled(Objective):
    """mean over data of min over k starts of loss(ŷ, y), ŷ reached by a solver on E(x, ·).

    A thought is one call of the solver, which goes on from the last answer. The loss is
    differentiated through all thoughts, so that E takes the shape whose descent ends at y: second
    derivatives of E enter, and its activations must be smooth. Random lengths and counts of steps
    teach it that further thoughts lead no farther away.

    From one start that knows nothing of y the best answer is the mean of all right ones. Of k > 1
    starts only the nearest answer counts, and the starts are shared out among the right answers:
    each leads to one of them. The price is answers that spread over the noise of y too. A start
    near y, as `perturbations.Gaussian`, chooses one by itself: this is learning to denoise.
    Starts must spread over where y is: standardize y, or give starts of its scale.

    Args:
        solver: of `ebmlab.inference`, one whose steps unroll; `FixedSteps(1.0)` if left out.
        loss: (ŷ, y) -> (n,) of n rows, such as an energy of codes; squared distance if left out.
            Of `energies.CrossEntropy` the answers are logits, which E then sees.
        start: gives starts of (y, rng); N(0, 1) like y if left out.
        starts: k.
        thoughts: the least and the most of them, drawn for each batch.
        spread: f >= 1: the energy of each start is multiplied by a factor between 1/f and f, log
            uniform, and steps along its slope are so much longer.
        noise: standard deviation of what is added to the answer before each thought, in the units
            of y.
        each: whether the answers after all thoughts are judged, by their mean loss, or the last.
        answers: those given before, from which some starts go on; None remembers nothing.

    Metrics: `first` and `last` (the loss after the first and the last thought), `e_first` and
    `e_last` (energies there), `recalled` (the share of starts that were answers), `batch_norm`.

    Raises:
        ConfigurationError: counts or the spread are none.
        ShapeError: the loss is not one number for each row.
        GradientError: the energy does not depend on y, or the solver keeps no graph.
        NonFiniteError, DivergenceError: the solver's.

    Example:
        >>> from ebmlab.energies import MLP
        >>> x, y, rng = torch.zeros(8, 1), torch.ones(8, 2), torch.Generator().manual_seed(0)
        >>> loss = Unrolled(starts=4)(MLP(2, x_dim=1), x, y, rng)
        >>> sorted(loss.metrics)
        ['batch_norm', 'e_first', 'e_last', 'first', 'last', 'recalled']

    Source: Belanger, McCallum 2016, arXiv:1511.06350; Domke 2012 (through the steps); Gladstone et
    al. 2025, arXiv:2507.02092 (random steps, noise, replay); Guzmán-Rivera, Batra, Kohli 2012 (the
    nearest of several answers).
    """

    shows = ("solver", "loss", "start", "starts", "thoughts", "spread", "noise", "each", "answers")

    def __init__(
        self,
        solver: Solver | None = None,
        loss: Judge | None = None,
        *,
        start: Corruption | None = None,
        starts: int = 1,
        thoughts: tuple[int, int] = (1, 4),
        spread: float = 2.0,
        noise: float = 0.0,
        each: bool = True,
        answers: Answers | None = None,
    ) -> None:
        super().__init__()
        require_counts(starts=starts, thoughts=thoughts[0])
        require_counts(thoughts[0], thoughts=thoughts[1])
        require_non_negative("noise", noise)
        if not spread >= 1:
            raise ConfigurationError(f"spread is {spread}; it must be at least 1")
        self.solver = FixedSteps(1.0) if solver is None else solver
        self.loss = squared_distance if loss is None else loss
        self.start = anywhere if start is None else start
        self.starts, self.thoughts, self.spread = starts, thoughts, spread
        self.noise, self.each, self.answers = noise, each, answers

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds second derivatives of the energy."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "Unrolled", y.device)
        coupled = batch_norm(energy, y, stacklevel=3)
        pairs = None if self.answers is None else self.answers.identify(energy, x, y)
        # Steps would be lost in half precision.
        target = precise(y).repeat(self.starts, *[1] * (y.ndim - 1))
        start, recalled = self._starts(target, pairs, rng)
        u, factor = self._potential(energy, x, y, rng)
        reached = self._thoughts(u, start, rng)
        losses = torch.stack([self._judged(answer, target) for answer, _ in reached])
        losses = losses.reshape(len(reached), self.starts, len(y))
        found = (losses.mean(0) if self.each else losses[-1]).min(0)
        value, best = found.values.mean(), found.indices
        self._require_graph(value, energy)

        def of_best(each: Tensor) -> Tensor:
            return each.detach().unflatten(0, (self.starts, -1))[
                best, torch.arange(len(best), device=best.device)
            ]

        first, last = (of_best(losses[t].flatten()).mean() for t in (0, -1))
        e_first, e_last = (of_best(reached[t][1] / factor).mean() for t in (0, -1))
        metrics = {"first": first, "last": last, "e_first": e_first, "e_last": e_last}
        metrics |= {"recalled": recalled, "batch_norm": coupled}
        answer = of_best(reached[-1][0])

        def commit() -> None:
            if self.answers is not None and pairs is not None:
                self.answers.keep(pairs, answer)

        return Loss(value, {"unrolled": value.detach()}, metrics, commit)

    def _starts(
        self, target: Tensor, pairs: Tensor | None, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Starts like the target, of k for each datum the first an earlier answer, if any."""
        start = self.start(target, rng).detach()
        if self.answers is None or pairs is None:
            return start, target.new_zeros(())
        old, known = self.answers.recall(pairs, start[: len(pairs)], rng)
        return torch.cat([old, start[len(pairs) :]]), known.to(target.dtype).mean()

    def _potential(
        self, energy: Energy, x: Tree, y: Tensor, rng: torch.Generator
    ) -> tuple[Potential, Tensor]:
        """E(x, ·) of rows that are k starts for each datum, times a factor (rows,), and that."""
        # The energy's own noise must not be that of the starts, and stays the same all the way.
        own = fork(rng) if energy.stochastic else None
        replay = (lambda: None) if own is None else replayed(own, type(energy).__name__)
        share = uniform_like(precise(y).new_empty(self.starts * len(y)), rng)
        factor = self.spread ** (2 * share - 1)

        def scaled(free: Tensor) -> Tensor:
            at = free.to(y.dtype).reshape(self.starts, *y.shape)
            return factor * energy(x, at, rng=replay()).flatten()

        return Potential(scaled), factor

    def _thoughts(
        self, u: Potential, start: Tensor, rng: torch.Generator
    ) -> list[tuple[Tensor, Tensor]]:
        """The answers and their energies after each of a random number of thoughts."""
        least, most = self.thoughts
        count = int(torch.randint(least, most + 1, (), generator=rng, device=rng.device))
        answer, reached = start, []
        for _ in range(count):
            if self.noise:
                answer = answer + self.noise * noise_like(answer, rng)
            found = self.solver.minimize(u, answer, unroll=True)
            answer = found.argmin
            reached.append((answer, found.energy))
        return reached

    def _require_graph(self, value: Tensor, energy: Energy) -> None:
        learns = any(p.requires_grad for p in energy.parameters())
        if torch.is_grad_enabled() and learns and not value.requires_grad:
            raise GradientError(
                f"{type(self.solver).__name__} keeps no graph of its steps, so that no loss "
                "of its answers reaches the energy: use FixedSteps, Descent or LBFGS"
            )

    def _judged(self, answer: Tensor, target: Tensor) -> Tensor:
        losses = self.loss(answer, target)
        if not isinstance(losses, Tensor) or losses.shape != answer.shape[:1]:
            got = tuple(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise ShapeError(
                f"{name_of(self.loss)} returned {got} for answers {tuple(answer.shape)}; expected "
                f"({len(answer)},), a loss for each row: reduce over the event only"
            )
        return losses
