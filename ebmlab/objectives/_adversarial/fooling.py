"""The generator seeks low energies, as the critic raises them."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebmlab._slopes import through
from ebmlab.losses import MarginLoss
from ebmlab.objectives._adversarial.game import Game, Play

__all__ = ["Fooling"]


class Fooling(Game):
    """The critic descends loss(E(y), E(g(z))), the generator mean lead(E(g(z))).

    | game | loss | lead |
    |---|---|---|
    | saturating | `logistic` | `torch.nn.functional.logsigmoid` |
    | non-saturating | `logistic` | `torch.nn.functional.softplus` |
    | hinge | `Levels(-1, 1)` | – |
    | EBGAN | `Levels(0, m)` | – |
    | Wasserstein | `difference` | – |

    The logistic critic's optimum is E = log p_g - log p_data: it is flat where the two agree, and
    no density by itself. The saturating lead is the value that the critic climbs, and has no
    slope where the critic is sure.

    Args:
        loss: the critic's, of `ebmlab.losses`.
        lead: of the fakes' energies (b,), elementwise; None takes the energies themselves.

    Terms: `critic`, `generator`.

    Example:
        >>> from ebmlab.losses import difference
        >>> Fooling(difference)
        Fooling(loss=difference, of_energies=None)

    Source: Goodfellow et al. 2014, arXiv:1406.2661; Arjovsky, Chintala, Bottou 2017,
    arXiv:1701.07875.
    """

    shows = ("loss", "of_energies")

    def __init__(self, loss: MarginLoss, lead: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.loss, self.of_energies = loss, lead

    def negatives(self, play: Play, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The fakes."""
        return play.fake.detach(), {}

    def lead(
        self, play: Play, shown: Tensor, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The mean over the fakes' energies."""

        def value(free: Tensor) -> Tensor:
            energies = play.energy(play.x, free, rng=rng)
            return (energies if self.of_energies is None else self.of_energies(energies)).mean()

        return {"generator": through(value, play.fake)}, {}
