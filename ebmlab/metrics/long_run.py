"""What the loss of own chains does not say: whether long chains leave the data's energies."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ebmlab._checks import require_counts, require_tensor
from ebmlab._kinds import require_a
from ebmlab.energy import Energy
from ebmlab.negatives.chains import walk
from ebmlab.protocols import Loss, Sampler
from ebmlab.types import Tree

__all__ = ["LongRun"]


@dataclass(frozen=True, eq=False)
class LongRun:
    """A watch: energies of the data, and of chains that run much longer than training's.

    The loss of contrastive divergence hovers around 0 whether or not anything is learned, and its
    negatives see only what they reach. Chains that start at the data and run on tell: of a model
    that is right, they stay at the data's energies, `long_gap` = mean E(chains) - mean E(data) is
    near 0; far below 0 there are depths that hold no data, which short chains never saw.

    Args:
        sampler: a kernel of `ebmlab.samplers`; better one that rejects.
        steps: how many transitions, many times those of training.
        seed: of the chains' own generator; training's is not touched.

    Returns, as `fit(…, watch=LongRun(…))` records them:
        `e_data`, `e_long`, `long_gap`, and `long_` before the metrics of the chains: acceptance,
        moved, strayed, still, coalesced.

    Example:
        >>> from ebmlab import fit, methods
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import MALA
        >>> from ebmlab.training import Recording
        >>> y = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
        >>> method = methods.contrastive_divergence(MLP(2), steps=1)
        >>> watch = LongRun(MALA(0.03), steps=20)
        >>> run = fit(method, (None, y), steps=2, batch_size=64, record=Recording(watch=watch))
        >>> "long_gap" in run.history
        True

    Source: Nijkamp, Hill, Han, Zhu, Wu 2020, arXiv:1903.12370 (short and long runs).
    """

    sampler: Sampler
    steps: int
    seed: int = 0

    def __post_init__(self) -> None:
        require_counts(steps=self.steps)

    def __call__(
        self, method: nn.Module, batch: tuple[Tree, Tree], loss: Loss
    ) -> Mapping[str, Tensor]:
        """Further numbers to record."""
        energy = require_a(Energy, "the method's energy", method.energy, "Method(energy, …)")
        x, y = batch
        y = require_tensor("y", y)
        rng = torch.Generator(y.device).manual_seed(self.seed)
        done = walk(energy, x, y, y, self.sampler, self.steps, rng)
        with torch.no_grad():
            e_data, e_long = energy(x, y, rng=rng).mean(), done.energies().mean()
        found = {"e_data": e_data, "e_long": e_long, "long_gap": e_long - e_data}
        return found | {f"long_{name}": value for name, value in done.metrics.items()}
