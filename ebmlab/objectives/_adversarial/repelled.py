"""Fakes whose codes point apart: EBGAN's pull-away term."""

import torch
from torch import Tensor, nn

from ebmlab._checks import require_non_negative
from ebmlab._kinds import require_a
from ebmlab._precise import precise
from ebmlab._ranks import gathered
from ebmlab._slopes import through
from ebmlab.energies import unit
from ebmlab.errors import ShapeError
from ebmlab.objectives._adversarial.game import Game, Play

__all__ = ["Repelled", "pull_away"]


class Repelled(Game):
    """A game in which the generator also descends w · mean over i ≠ j of cos²(h_i, h_j).

    h are the critic's codes of the fakes: fakes that fall together into one mode have codes that
    point alike. Batches of all ranks are one.

    Args:
        game: what else is played for.
        encoder: of the critic, (n, *event) -> (n, dim), such as `energies.Autoencoder`'s.
        weight: w >= 0.

    Terms: those of the game, and `pull_away`.

    Raises:
        ShapeError: there is one fake only, or codes are no vectors.

    Example:
        >>> from ebmlab.losses import Levels
        >>> from ebmlab.objectives import Fooling
        >>> Repelled(Fooling(Levels(0.0, 1.0)), nn.Linear(2, 3), weight=0.1).weight
        0.1

    Source: Zhao, Mathieu, LeCun 2016, arXiv:1609.03126.
    """

    shows = ("weight",)

    def __init__(self, game: Game, encoder: nn.Module, weight: float = 0.1) -> None:
        super().__init__()
        require_non_negative("weight", weight)
        self.game = require_a(Game, "game", game, "Fooling(Levels(0.0, 1.0))")
        self.encoder, self.weight = encoder, weight
        self.loss = game.loss

    def negatives(self, play: Play, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Those of the game."""
        return self.game.negatives(play, rng)

    def lead(
        self, play: Play, shown: Tensor, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The game's terms, and the mean squared cosine of the codes of two fakes."""
        apart = through(lambda free: pull_away(self.encoder(free)), play.fake)
        terms, metrics = self.game.lead(play, shown, rng)
        return {**terms, "pull_away": self.weight * apart}, metrics


def pull_away(codes: Tensor) -> Tensor:
    """mean over i ≠ j of cos²(h_i, h_j) of codes (b, dim) of all ranks, b >= 2, a scalar.

    Example:
        >>> pull_away(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        tensor(0.3333)
    """
    if codes.ndim != 2:
        raise ShapeError(f"codes have shape {tuple(codes.shape)}; expected (b, dim): .flatten(1)")
    h = gathered("codes", unit(precise(codes)))
    if len(h) < 2:
        raise ShapeError("the batch holds one fake; two are needed to be pulled apart")
    cosines = h @ h.T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / (len(h) * (len(h) - 1))
