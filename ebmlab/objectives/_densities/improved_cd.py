"""Contrastive divergence whose chains, too, are led by the loss: improved CD."""

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_generator, require_non_negative, require_tensor
from ebmlab._kinds import require_a, require_floats
from ebmlab._precise import precise
from ebmlab._randomness import fork
from ebmlab._ranks import gathered, rank_count, rank_number
from ebmlab._rows import row_sums
from ebmlab._slopes import slope, through
from ebmlab.energy import Energy
from ebmlab.errors import NonFiniteError, ShapeError
from ebmlab.negatives import Replay
from ebmlab.protocols import Loss, Objective
from ebmlab.samplers import Langevin
from ebmlab.types import Potential, Rng, State, Tree

__all__ = ["ImprovedCD", "log_nearest"]

# A squared distance, below which points coincide.
TINY = 1e-30


class ImprovedCD(Objective):
    """E(y+) - E(sg y-) + w [E_sg(y-) - α T H(y-)]: the last term reaches the chains' last steps.

    The first two terms are contrastive divergence. Their gradient lacks what the parameters do to
    the chains: y- follows from them. Here the last `through` Langevin steps
    y' = y - ε ∇E(y) + √(2εT) ξ stay in the graph, and the parameters descend KL(q || p) through
    them alone, q the law of y-: the energy there, of parameters that get no gradient, minus the
    entropy H = d · mean log (distance to the nearest other chain) + constant. So steps lead to
    where the energy is low, and chains stay apart.

    In the exact gradient of KL(data || p) - KL(q || p) this term has the sign minus (Hinton 2002);
    as in the paper it is a loss, which wants chains that mix.

    Args:
        negatives: the persistent chains, moved by their own sampler first.
        last: the Langevin kernel of the last steps; its step size and temperature are used.
        through: how many of these steps there are, at least 1.
        weight: w >= 0; 0 is persistent contrastive divergence.
        entropy: α >= 0; the paper has 0.3 / d.

    Terms: `contrastive`, `kl`. Metrics: `e_pos`, `e_neg`, `gap` = e_neg - e_pos, `spread`, the
    mean log distance to the nearest chain, and those of the negatives.

    Raises:
        ShapeError: there is one datum only, whose chain has no neighbor.
        NonFiniteError: a chain's last steps leave the finite numbers.

    Example:
        >>> from ebmlab.energies import MLP
        >>> from ebmlab.samplers import MALA
        >>> rng = torch.Generator().manual_seed(0)
        >>> chains = Replay(torch.randn(50, 2, generator=rng), MALA(0.05), steps=5)
        >>> loss = ImprovedCD(chains, Langevin(0.05))(MLP(2), None, torch.zeros(8, 2), rng)
        >>> sorted(loss.terms)
        ['contrastive', 'kl']

    Source: Du, Li, Tenenbaum, Mordatch 2021, arXiv:2012.01316; the entropy, Kozachenko, Leonenko
    1987.
    """

    shows = ("last", "through", "weight", "entropy")

    def __init__(
        self,
        negatives: Replay,
        last: Langevin,
        through: int = 1,
        weight: float = 1.0,
        entropy: float = 1.0,
    ) -> None:
        super().__init__()
        require_counts(through=through)
        require_non_negative("weight", weight)
        require_non_negative("entropy", entropy)
        mend = "Replay(pool, sampler, steps)"
        self.negatives = require_a(Replay, "the negatives of ImprovedCD", negatives, mend)
        self.last = require_a(Langevin, "the last steps of ImprovedCD", last, "Langevin(0.01)")
        self.through, self.weight, self.entropy = through, weight, entropy

    def forward(self, energy: Energy, x: Tree, y: Tree, rng: Rng) -> Loss:
        """The loss; its graph holds the second derivatives of the energy on the last steps."""
        y = require_floats("y", require_tensor("y", y))
        rng = require_generator(rng, "ImprovedCD", y.device)
        if len(y) * rank_count() < 2:
            raise ShapeError(f"y has a batch of {len(y)}; an entropy of chains takes two rows")
        walk, keep = self.negatives.advance(energy, x, y, rng)
        end = self._led(energy, x, walk.end, rng)
        e_pos, e_neg = energy(x, y, rng=rng).mean(), energy(x, end.detach(), rng=rng).mean()
        above = through(lambda at: energy(x, at, rng=rng).mean(), end)
        spread = log_nearest(end).mean()
        kl = above - self.last.temperature * self.entropy * y[0].numel() * spread
        parts = {"contrastive": e_pos - e_neg, "kl": self.weight * kl}
        metrics = {"e_pos": e_pos, "e_neg": e_neg, "gap": e_neg - e_pos, "spread": spread}
        metrics |= walk.metrics
        return Loss(
            parts["contrastive"] + parts["kl"],
            {name: part.detach() for name, part in parts.items()},
            {name: metric.detach() for name, metric in metrics.items()},
            lambda: keep(end.detach()),
        )

    def _led(self, energy: Energy, x: Tree, start: Tensor, rng: torch.Generator) -> Tensor:
        """Where the last steps lead, with the graph of how the parameters led there."""
        u = energy.given(x, rng=fork(rng) if energy.stochastic else None)
        if start.itemsize < 4:
            low, kind = u, start.dtype
            u = Potential(lambda free: precise(low(free.to(kind))))
        y = precise(start)
        for _ in range(self.through):
            state = State(y, *slope(u, y, create_graph=True))
            y = self.last.step(u, state, rng)[0].y
        if not bool(y.isfinite().all()):
            raise NonFiniteError(
                "a chain's last steps lead to NaN or infinity; take a smaller step_size in `last`"
            )
        return y.to(start.dtype)


def log_nearest(points: Tensor) -> Tensor:
    """log of the distance of each of the points (n, *event) to the nearest other of all ranks.

    Points that coincide count as 1e-15 apart and are not driven apart: no direction is theirs.

    Example:
        >>> log_nearest(torch.tensor([[0.0], [1.0], [5.0]])).exp()
        tensor([1., 1., 4.])
    """
    flat = precise(points.flatten(1))
    every, first = gathered("chains", flat), rank_number() * len(flat)
    with torch.no_grad():
        apart = torch.cdist(flat, every, compute_mode="donot_use_mm_for_euclid_dist")
        apart[:, first : first + len(flat)].fill_diagonal_(torch.inf)
        nearest = apart.argmin(1)
    return 0.5 * row_sums((flat - every[nearest]).square()).clamp(min=TINY).log()
