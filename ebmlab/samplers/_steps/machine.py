"""NUTS as a machine: a turn is one leapfrog step of every chain, each in a tree of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ebmlab._rows import mapped, rows
from ebmlab._tracing import tracing
from ebmlab.kernels.lowering import stored
from ebmlab.samplers._steps.leapfrog import DIVERGENT, Phase, leap
from ebmlab.samplers._steps.lots import Lots, lots, momenta
from ebmlab.samplers._steps.turns import Marks, Plan, straight
from ebmlab.samplers.metric import Metric
from ebmlab.types import Potential, State

__all__ = ["Machine", "NUTSInfo", "Trees", "Turning"]

Parts = TypeVar("Parts", bound=tuple)


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


class Trees(NamedTuple):
    """Where the trees of all chains stand; vectors are (d, chains), the rest is (chains,).

    Attributes:
        end: the end of the trajectory that grows; its momentum is whitened.
        other: the trajectory's other end.
        joint: the momentum of the point that the branch grows from.
        total: the sum of the momenta of the trajectory, its branch included.
        marks: leaves of the branch from which U-turns are looked for.
        pick: a leaf of the branch with probability ∝ exp(-H).
        draw: the draw from the trajectory without the branch.
        branch: log Σ exp(H₀ - H) over the branch.
        tree: the same over the trajectory without it.
        energy: u at the origin, a part of H₀.
        kinetic: the other part.
        leaf: how many leaves the branch has.
        depth: how often the trajectory was doubled.
        time: 1 into the future, -1 into the past, 0 where a chain has come to its last draw.
        leaves: how many leaves the transition has made.
        accepted: Σ min(1, exp(H₀ - H)) over these.
        transition: how many transitions the chain has made.
        info: their records, summed.
    """

    end: Phase
    other: Phase
    joint: Tensor
    total: Tensor
    marks: Marks
    pick: State
    draw: State
    branch: Tensor
    tree: Tensor
    energy: Tensor
    kinetic: Tensor
    leaf: Tensor
    depth: Tensor
    time: Tensor
    leaves: Tensor
    accepted: Tensor
    transition: Tensor
    info: NUTSInfo


@dataclass(frozen=True, eq=False)
class Machine:
    """Grows the trees of chains; every method is a pure function of tensors.

    Args:
        u, metric, step_size, max_depth: as of `NUTS`.
        event: the shape of what a chain holds.
        plan: of the branches of the deepest trees.
    """

    u: Potential
    metric: Metric
    step_size: float | Tensor
    max_depth: int
    event: torch.Size
    plan: Plan

    def traced(self) -> "Machine":
        """The same machine with a tensor for its step size, so that one program serves all."""
        return replace(self, step_size=torch.as_tensor(self.step_size, dtype=torch.float64))

    def begin(self, state: State, momentum: Tensor) -> Trees:
        """Trees of one point each, with momenta (d, chains)."""
        home = State(_columns(state.y), state.energy, _columns(state.grad))
        end, none = Phase(*home, momentum), torch.zeros_like(state.energy)
        room = momentum.new_zeros(2, len(self.plan.looked), *momentum.shape)
        marks, count = Marks(room), none.to(torch.int32)
        waiting = Trees(
            *(end, end, momentum, momentum, marks, home, home, none, none, none, none),
            *(count, count, none, count + 1, none, count.long() - 1, NUTSInfo(*[none] * 5)),
        )
        return self.renew(waiting, torch.ones_like(none, dtype=torch.bool), momentum, 1)

    def turn(self, s: Trees, seeds: Tensor, last: int | Tensor) -> tuple[Trees, Tensor]:
        """One leaf for every chain, and which chains have ended a transition by it.

        The lots of a transition come from its seed, one of seeds (transitions,), so that nothing
        depends on where other chains are. Chains that have made all transitions stay.
        """
        chance = lots(_at(seeds, s.transition), s.leaves, s.energy.dtype)
        s, onward, done = self.grow(s, chance)
        s = self.double(s, onward, chance.time)
        momentum = momenta(_at(seeds, s.transition + done), s.total.mT)
        return self.renew(s, done, momentum, last), done

    def grow(self, s: Trees, chance: Lots) -> tuple[Trees, Tensor, Tensor]:
        """A leaf, and whole branches joined; whose tree goes on with a new branch, whose ends."""
        alive = s.time != 0
        end, fall = self._leaf(s)
        sound = alive & (fall > -DIVERGENT)
        weight = torch.where(sound, fall, -torch.inf)
        branch, total = torch.logaddexp(s.branch, weight), s.total + end.momentum
        place, looked = self.plan
        sound = sound & s.marks.ahead(looked[:, s.leaf], end.momentum, total)
        marks = s.marks.put(stored(place[s.leaf]), end.momentum, s.total)
        # A leaf at -∞ joins in any case, so that whoever watches the chain sees it.
        whole = sound & (s.leaf + 1 == 1 << s.depth) | branch.isposinf()
        info = s.info._replace(
            nonfinite=s.info.nonfinite + (alive & ~fall.isfinite()),
            divergent=s.info.divergent + (alive & ~(fall > -DIVERGENT)),
            depth=s.info.depth + whole,
            leapfrogs=s.info.leapfrogs + alive,
        )
        s = s._replace(
            end=end,
            total=total,
            marks=marks,
            pick=_select(weight >= branch + chance.pick, State(*end[:3]), s.pick),
            branch=branch,
            leaf=s.leaf + alive,
            leaves=s.leaves + alive,
            accepted=s.accepted + weight.clamp(max=0).exp(),
            info=info,
        )
        onward = whole
        if _some(whole):
            s, onward = self._joined(s, whole, chance.join)
        return s, onward, alive & (whole | ~sound) & ~onward

    def double(self, s: Trees, onward: Tensor, time: Tensor) -> Trees:
        """A new branch of those that go on, from either end."""
        if not _some(onward):
            return s
        turned = onward & (time != s.time)
        end, other = _select(turned, s.other, s.end), _select(turned, s.end, s.other)
        return _branching(s._replace(end=end, other=other), onward, time)

    def renew(self, s: Trees, done: Tensor, momentum: Tensor, last: int | Tensor) -> Trees:
        """A new tree, of the draw alone, of those that are done; after `last` of them, they stay.

        A momentum is as likely as its opposite, so the first branch may go into the future.
        """
        if not _some(done):
            return s
        home = Phase(*s.draw, momentum)
        acceptance = s.info.acceptance + torch.where(done, s.accepted / s.leaves, 0.0)
        s = s._replace(
            end=_select(done, home, s.end),
            other=_select(done, home, s.other),
            total=torch.where(done, momentum, s.total),
            tree=torch.where(done, 0.0, s.tree),
            energy=torch.where(done, home.energy, s.energy),
            kinetic=torch.where(done, _kinetic(momentum), s.kinetic),
            depth=torch.where(done, 0, s.depth),
            leaves=torch.where(done, 0, s.leaves),
            accepted=torch.where(done, 0.0, s.accepted),
            transition=s.transition + done,
            info=s.info._replace(acceptance=acceptance),
        )
        return _branching(s, done, (s.transition < last).to(s.time.dtype))

    def drawn(self, s: Trees) -> State:
        """Where the chains have come to."""
        return State(self._rows(s.draw.y), s.draw.energy, self._rows(s.draw.grad))

    def _leaf(self, s: Trees) -> tuple[Phase, Tensor]:
        """The next point of each trajectory, and its H₀ - H."""
        y, grad, momentum = map(self._rows, (s.end.y, s.end.grad, s.end.momentum))
        step = rows(s.time, y) * self.step_size

        def kept(v: Tensor) -> Tensor:
            return self._rows(stored(_columns(v)))

        end = leap(self.u, self.metric, Phase(y, s.end.energy, grad, momentum), step, kept)
        y, grad, momentum = map(_columns, (end.y, end.grad, end.momentum))
        # Energies are subtracted first, so that a common offset costs no precision.
        fall = (s.energy - end.energy) + (s.kinetic - _kinetic(momentum))
        fall = torch.where(end.energy.isneginf(), torch.inf, fall)
        return Phase(y, end.energy, grad, momentum), fall

    def _joined(self, s: Trees, whole: Tensor, chance: Tensor) -> tuple[Trees, Tensor]:
        """Trees with their branches that are whole, and which of them may grow further.

        The whole trajectory has to be straight, and so have the spans across its halves: from its
        far end to the branch's first leaf, and from the joint to the branch's last leaf.
        """
        first, before = s.marks.momentum[0], s.marks.before[0]
        far, last = s.other.momentum, s.end.momentum
        onward = (
            whole
            & straight(s.total, far, last)
            & straight(before + first, far, first)
            & straight(s.total - before + s.joint, s.joint, last)
            & (s.depth + 1 < self.max_depth)
        )
        s = s._replace(
            draw=_select(whole & (s.branch >= s.tree + chance), s.pick, s.draw),
            tree=torch.where(whole, torch.logaddexp(s.tree, s.branch), s.tree),
            depth=s.depth + whole,
        )
        return s, onward

    def _rows(self, columns: Tensor) -> Tensor:
        """Vectors (d, chains) as (chains, *event)."""
        return columns.mT.reshape(-1, *self.event)


class Turning(ABC):
    """A sampler whose chains a machine can move, each at a transition of its own."""

    @abstractmethod
    def machine(self, u: Potential, state: State) -> Machine:
        """What moves chains like these turn by turn."""


def _branching(s: Trees, fresh: Tensor, time: Tensor) -> Trees:
    return s._replace(
        joint=torch.where(fresh, s.end.momentum, s.joint),
        branch=torch.where(fresh, -torch.inf, s.branch),
        leaf=torch.where(fresh, 0, s.leaf),
        time=torch.where(fresh, time, s.time),
    )


def _columns(part: Tensor) -> Tensor:
    """(chains, *event) as vectors (d, chains)."""
    return part.reshape(len(part), -1).mT.contiguous()


def _kinetic(momentum: Tensor) -> Tensor:
    return 0.5 * momentum.square().sum(0)


def _at(seeds: Tensor, transition: Tensor) -> Tensor:
    return stored(seeds[transition.clamp(max=len(seeds) - 1)])


def _some(mask: Tensor) -> bool:
    """Whether any chain is meant; a program is made for all that may come."""
    return tracing() or bool(mask.any())


def _select(take: Tensor, new: Parts, old: Parts) -> Parts:
    return mapped(lambda a, b: torch.where(take, a, b), new, old)
