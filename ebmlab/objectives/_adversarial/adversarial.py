"""Negatives from a generator that learns: two players, one loss."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_tensor
from ebmlab._events import per_datum
from ebmlab._kinds import require_a, require_floats
from ebmlab.energy import Energy
from ebmlab.errors import ShapeError
from ebmlab.negatives.coupling import batch_norm
from ebmlab.networks import Generator
from ebmlab.objectives._adversarial.game import Game, Play
from ebmlab.protocols import Loss, Objective, Stepped
from ebmlab.types import Rng, Tree

__all__ = ["Adversarial"]


class Adversarial(Objective):
    """mean loss(E(x, y), E(x, y')) + what the generator descends: y' are its draws, or near them.

    One loss for two players: the first term moves the energy alone, as y' come without a graph,
    the others the generator alone, through a critic whose parameters get nothing. One `backward`
    serves both; step sizes of their own are two parameter groups, or `training.Players`.

    Args:
        generator: g, of x where it takes x; part of the objective, and trained with it.
        game: the rules: `Fooling`, `Repelled`, `Entropic`, `Cooperative`, or a `Game` of yours.
        every: the generator learns once in so many steps; between, its terms are left out.

    Terms: `critic`, and those of the game. Metrics: `e_pos`, `e_neg` (means), `gap` = e_neg -
    e_pos, `batch_norm`, and those of the game.

    Raises:
        ShapeError: the generator makes other things than y.
        ConfigurationError: rng is missing.

    Example:
        >>> from torch import nn
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.losses import logistic
        >>> from ebmlab.objectives import Fooling
        >>> game = Fooling(logistic, nn.functional.softplus)
        >>> objective = Adversarial(Generator(nn.Linear(3, 2), dim=3), game)
        >>> sorted(objective(MLP(2), None, torch.zeros(8, 2), torch.Generator()).terms)
        ['critic', 'generator']

    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """

    shows = ("every",)

    def __init__(self, generator: Generator, game: Game, every: int = 1) -> None:
        super().__init__()
        require_counts(every=every)
        mend = "networks.Generator(network, dim)"
        self.generator = require_a(Generator, "generator", generator, mend)
        self.game = require_a(Game, "game", game, "objectives.Fooling(losses.logistic, softplus)")
        self.every = every
        self.clock = _Clock()

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The sum of what both players descend."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "Adversarial", y.device)
        coupled = batch_norm(energy, y, stacklevel=4)
        play = self._proposed(energy, x, y, rng)
        shown, metrics = self.game.negatives(play, rng)
        # In one pass, so that x is encoded once.
        e_pos, e_neg = energy(x, torch.stack([y, shown]), rng=rng)
        terms = {"critic": per_datum(self.game.loss, e_pos, e_neg[:, None]).mean()}
        if self.clock.strikes(self.every):
            lead, more = self.game.lead(play, shown, rng)
            terms, metrics = terms | lead, metrics | more
        low, high = e_pos.detach().mean(), e_neg.detach().mean()
        metrics |= {"e_pos": low, "e_neg": high, "gap": high - low, "batch_norm": coupled}
        value = torch.stack(list(terms.values())).sum()
        return Loss(value, {name: term.detach() for name, term in terms.items()}, metrics)

    def _proposed(self, energy: Energy, x: Tree, y: Tensor, rng: torch.Generator) -> Play:
        z = self.generator.noise(len(y), rng)
        fake = self.generator(z, x).to(y.dtype)
        if fake.shape != y.shape:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but the generator makes {tuple(fake.shape)} of "
                f"{len(y)} z: its network must map (n, {self.generator.dim}) to (n, *event) of y"
            )
        return Play(energy, x, y, self.generator, z, fake)


class _Clock(Stepped):
    """Counts the steps of the critic."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def strikes(self, every: int) -> bool:
        """Whether the present step is one of every so many; it is not waited for where all are."""
        return every == 1 or int(self.steps + 1) % every == 0

    def step(self) -> None:
        """One more."""
        self.steps += 1
