"""The no-U-turn sampler, batched: every chain has a tree of its own depth."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ebmlab._checks import require_counts, require_positive
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.samplers._steps.lots import Lots, lots, momenta
from ebmlab.samplers._steps.machine import Machine, NUTSInfo, Turning
from ebmlab.samplers._steps.start import begin
from ebmlab.samplers._steps.turns import plan
from ebmlab.samplers.metric import IDENTITY, Metric
from ebmlab.samplers.tunable import Learner, Tunable
from ebmlab.types import Potential, State

__all__ = ["NUTS", "NUTSInfo"]

# Doublings at most until a first metric is learned, and one more with each.
FIRST_DEPTH = 5
# So many lots of a transition are made at a time.
AHEAD = 32


@dataclass(frozen=True, eq=False)
class NUTS(Tunable, Turning):
    """The no-U-turn sampler: leaves exp(-u) exactly invariant, and finds its own path length.

    From y with a fresh momentum r ~ N(0, 1), the trajectory of the leapfrog integrator is doubled,
    into the future or the past at random, until it or a subtree of it turns back on itself:
    Σr · r <= 0 at one of its ends, or across its two halves. A point is drawn with probability
    ∝ exp(-H), H = u + ½ ‖r‖², later branches being preferred. A branch with a U-turn of its own,
    or with an energy error above 1000 or not finite (a divergence), is dropped; its chain stays
    on the draw from what came before.

    All random numbers of a transition are counted from one seed that rng gives, by chain and by
    leaf, so that no chain sees how long the others go on. Step by step they wait for the longest
    tree, in a compiled run for none; the draws are the same.

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
        """One transition of every chain; those that have ended theirs wait for the others."""
        machine, seeds = self.machine(u, state), fresh_seeds(rng, 1).expand(len(state.y))
        momentum = momenta(seeds, state.y)
        trees = machine.begin(state, momentum)
        ahead: list[Lots] = []
        for leaf in range(2**self.max_depth - 1):
            if not ahead:
                places = torch.arange(leaf, leaf + AHEAD, device=seeds.device)[:, None]
                given = lots(seeds, places, state.energy.dtype)
                ahead = [Lots(*parts) for parts in zip(*given, strict=True)]
            chance = ahead.pop(0)
            trees, onward, done = machine.grow(trees, chance)
            trees = machine.double(trees, onward, chance.time)
            trees = machine.renew(trees, done, momentum, last=1)
            if bool((trees.transition > 0).all()):
                break
        return machine.drawn(trees), trees.info

    def machine(self, u: Potential, state: State) -> Machine:
        """What moves chains like these turn by turn, each at a transition of its own."""
        branches = plan(max(1, self.max_depth - 1), state.y.device)
        return Machine(u, self.metric, self.step_size, self.max_depth, state.y.shape[1:], branches)


class _Growing(Learner):
    """Lets trees grow deeper with each metric that is learned."""

    depth = FIRST_DEPTH

    def trial(self, step_size: float | Tensor, metric: Metric) -> NUTS:
        tree = super().trial(step_size, metric)
        return replace(tree, max_depth=min(self.depth, tree.max_depth))

    def renew(self, metric: Metric) -> None:
        self.depth += 1
