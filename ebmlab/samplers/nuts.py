"""The no-U-turn sampler, batched: every chain has a tree of its own depth."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab._randomness import fork
from ebmlab._rows import mapped, rows, select
from ebmlab.samplers._steps.leapfrog import DIVERGENT, Phase
from ebmlab.samplers._steps.start import begin, noise_like, uniform_like
from ebmlab.samplers._steps.tree import Branch, flat, grow, patience, straight
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.samplers.tunable import Learner, Tunable
from ebmlab.types import Potential, State

__all__ = ["NUTS", "NUTSInfo"]

# Doublings at most until a first metric is learned, and one more with each.
FIRST_DEPTH = 5


class NUTSInfo(NamedTuple):
    """What one transition of `NUTS` reports, each (chains,).

    Attributes:
        acceptance: mean Metropolis probability of the new points, what warm-up steers.
        nonfinite: 1 where an energy or a gradient that is not finite ended the tree.
        divergent: 1 where that, or an energy error above 1000, ended it.
        depth: doublings that joined; the trajectory has 2^depth points.
        leapfrogs: gradients taken, those of a last branch that did not join included.
    """

    acceptance: Tensor
    nonfinite: Tensor
    divergent: Tensor
    depth: Tensor
    leapfrogs: Tensor


class _Tree(NamedTuple):
    """A trajectory: its ends in time, the sum of its momenta, its weight, and a draw from it."""

    left: Phase
    right: Phase
    total: Tensor
    log_weight: Tensor
    draw: State


@dataclass(frozen=True, eq=False)
class NUTS(Tunable):
    """The no-U-turn sampler: leaves exp(-u) exactly invariant, and finds its own path length.

    From y with a fresh momentum r ~ N(0, 1), the trajectory of the leapfrog integrator is doubled,
    into the future or the past at random, until it or a subtree of it turns back on itself:
    Σr · r <= 0 at one of its ends, or across its two halves. A point is drawn with probability
    ∝ exp(-H), H = u + ½ ‖r‖², later branches being preferred. A branch with a U-turn of its own,
    or with an energy error above 1000 or not finite (a divergence), is dropped; its chain stays
    on the draw from what came before.

    Chains double together, each until it stops by itself; those that have stopped wait for the
    longest tree. One random number is drawn for each chain and leaf from a fork of rng, so that
    no chain sees how long the others go on.

    Args:
        step_size: ε > 0.
        metric: M, the identity by default; `warmup` finds one.
        max_depth: doublings at most, >= 1; no more than 2^max_depth - 1 gradients a transition.

    Example:
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> u = lambda y: 0.5 * y.square().sum(-1)
        >>> chain = run(NUTS(0.5), u, torch.zeros(100, 2), steps=20, rng=rng)
        >>> chain.acceptance.mean() > 0.9
        tensor(True)

    Source: Hoffman, Gelman 2014, arXiv:1111.4246; Betancourt 2017, arXiv:1701.02434. The U-turns
    are found without recursion as in Phan, Pradhan, Jankowiak 2019, arXiv:1912.11554.
    """

    step_size: float | Tensor
    metric: Metric = IDENTITY
    max_depth: int = 10

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_counts(max_depth=self.max_depth)

    def learner(self, state: State) -> Learner:
        """Trees that cannot take forever under a metric that is still crude."""
        return _Growing(self)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        """Energies and gradients at the start."""
        return begin(u, y)

    def step(self, u: Potential, state: State, rng: torch.Generator) -> tuple[State, NUTSInfo]:
        """One transition of every chain."""
        rng = fork(rng)
        home = Phase(*state, noise_like(state.y, rng))
        none = torch.zeros_like(state.energy)
        tree = _Tree(home, home, flat(home.momentum), none, state)
        growing, info = torch.ones_like(none, dtype=torch.bool), NUTSInfo(*[none] * 5)
        for depth in range(self.max_depth):
            future = uniform_like(none, rng) < 0.5
            step = self.step_size * rows(torch.where(future, 1.0, -1.0).to(none), state.y)
            edge = select(future, tree.right, tree.left)
            branch = grow(u, self.metric, home, edge, step, growing, 2**depth, rng)
            bad, torn = ~branch.gain.isfinite(), ~(branch.gain > -DIVERGENT)
            grown = NUTSInfo(branch.acceptance, bad, torn, branch.valid, branch.leapfrogs)
            info = mapped(torch.add, info, grown)
            tree, onward = _joined(tree, branch, future, growing & branch.valid, rng)
            growing = growing & branch.valid & onward
            if not growing.any():
                break
        return tree.draw, info._replace(acceptance=info.acceptance / info.leapfrogs)


class _Growing(Learner):
    """Lets trees grow deeper with each metric that is learned."""

    depth = FIRST_DEPTH

    def trial(self, step_size: float | Tensor, metric: Metric) -> NUTS:
        tree = super().trial(step_size, metric)
        return replace(tree, max_depth=min(self.depth, tree.max_depth))

    def renew(self, metric: Metric) -> None:
        self.depth += 1


def _joined(
    tree: _Tree, branch: Branch, future: Tensor, joins: Tensor, rng: torch.Generator
) -> tuple[_Tree, Tensor]:
    """The tree with its branch, and whether the two together are straight.

    The draw is decided only where the branch `joins`; of other chains nothing else matters.
    """
    take = branch.log_weight >= tree.log_weight - patience(tree.log_weight, rng)
    left, right, ahead = flat(tree.left.momentum), flat(tree.right.momentum), future[:, None]
    far, near = torch.where(ahead, left, right), torch.where(ahead, right, left)
    last, total = flat(branch.end.momentum), tree.total + branch.total
    onward = straight(
        torch.stack([total, tree.total + branch.first, branch.total + near]),
        torch.stack([far, far, near]),
        torch.stack([last, branch.first, last]),
    )
    longer = _Tree(
        select(future, tree.left, branch.end),
        select(future, branch.end, tree.right),
        total,
        torch.logaddexp(tree.log_weight, branch.log_weight),
        select(joins & take, branch.draw, tree.draw),
    )
    return longer, onward
