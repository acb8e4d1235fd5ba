"""The generator proposes, the energy's chains correct, and the generator learns from them."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._precise import precise
from ebmlab._rows import row_sums
from ebmlab.losses import difference
from ebmlab.negatives.chains import walk
from ebmlab.objectives._adversarial.game import Game, Play
from ebmlab.protocols import Sampler

__all__ = ["Cooperative"]


class Cooperative(Game):
    """The critic descends E(y) - E(y'), the generator mean ‖g(z) - y'‖² / 2σ².

    y' is where a short chain of exp(-E) ends that starts at g(z). The energy learns by maximum
    likelihood, from chains that start near the model; the generator learns to start them there,
    with the z of the proposal, so that nothing need be inferred. No player works against the
    other: E tends to -log p + c, and the generator to draws of it.

    Args:
        sampler: of the chains.
        steps: transitions, at least 1.
        sigma: σ > 0, in the units of y: how much a step back to y' counts.

    Terms: `critic`, `generator`. Metrics: `acceptance`, `moved`, `strayed`, `still`, `coalesced`.

    Example:
        >>> from ebmlab.samplers import MALA
        >>> Cooperative(MALA(0.03), steps=10).sigma
        0.3

    Source: Xie, Lu, Gao, Zhu, Wu 2018, arXiv:1609.09408.
    """

    shows = ("sampler", "steps", "sigma")

    def __init__(self, sampler: Sampler, steps: int, sigma: float = 0.3) -> None:
        super().__init__()
        require_counts(steps=steps)
        require_positive("sigma", sigma)
        self.sampler, self.steps, self.sigma = sampler, steps, sigma
        self.loss = difference

    def negatives(self, play: Play, rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The chains' ends."""
        start = play.fake.detach()
        done = walk(play.energy, play.x, play.y, start, self.sampler, self.steps, rng)
        return done.end, done.metrics

    def lead(
        self, play: Play, shown: Tensor, rng: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The regression of g(z) on where its chain ended."""
        errors = row_sums(precise(play.fake - shown).square())
        return {"generator": errors.mean() / (2 * self.sigma**2)}, {}
