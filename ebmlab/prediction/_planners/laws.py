"""Laws of sequences of z that a search draws from and fits again to the better draws."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ebmlab.inference.spaces import Smooth
from ebmlab.prediction._planners.planner import Course

__all__ = ["Law", "first_law"]


@dataclass(frozen=True, eq=False)
class Law(ABC):
    """A law of sequences of z (n, t, *event), every step of every start on its own."""

    @abstractmethod
    def draw(self, k: int, rng: torch.Generator) -> Tensor:
        """K sequences for each start: (k, n, t, *event), or what stands for them."""

    @abstractmethod
    def z(self, draws: Tensor) -> Tensor:
        """The z (k, n, t, *event) that draws stand for."""

    @abstractmethod
    def middle(self) -> Tensor:
        """The likeliest sequence, as one draw (1, n, t, …)."""

    @abstractmethod
    def fitted(self, draws: Tensor, weights: Tensor, keep: float, *, narrow: bool) -> Self:
        """The law of weighted draws, weights (k, n) of sum 1, mixed with `keep` of this one.

        Where it has a width, `narrow` fits that too.
        """


@dataclass(frozen=True, eq=False)
class Categorical(Law):
    """z_t is atom k with the probability p_tk (n, t, K); draws are numbers of atoms (k, n, t)."""

    atoms: Tensor
    p: Tensor

    def draw(self, k: int, rng: torch.Generator) -> Tensor:
        flat = self.p.flatten(0, 1)
        return torch.multinomial(flat, k, True, generator=rng).T.unflatten(1, self.p.shape[:2])

    def z(self, draws: Tensor) -> Tensor:
        return self.atoms[draws]

    def middle(self) -> Tensor:
        return self.p.argmax(-1)[None]

    def fitted(self, draws: Tensor, weights: Tensor, keep: float, *, narrow: bool) -> Self:
        shares = one_hot(draws, len(self.atoms)).to(self.p)
        return replace(self, p=_weighed(weights, shares).lerp(self.p, keep))


@dataclass(frozen=True, eq=False)
class Normal(Law):
    """z_t is normal around the mean (n, t, dim), wrapped where the space is."""

    space: Smooth
    mean: Tensor
    std: Tensor

    def draw(self, k: int, rng: torch.Generator) -> Tensor:
        mean = self.mean.expand(k, *self.mean.shape)
        noise = torch.randn(mean.shape, generator=rng, dtype=mean.dtype, device=mean.device)
        return self.space.retract(mean, self.std * noise)

    def z(self, draws: Tensor) -> Tensor:
        return draws

    def middle(self) -> Tensor:
        return self.mean[None]

    def fitted(self, draws: Tensor, weights: Tensor, keep: float, *, narrow: bool) -> Self:
        steps = self.space.toward(self.mean.expand_as(draws), draws)
        center = _weighed(weights, steps)
        mean = self.space.retract(self.mean, (1 - keep) * center)
        if not narrow:
            return replace(self, mean=mean)
        std = _weighed(weights, (steps - center).square()).sqrt()
        return replace(self, mean=mean, std=std.lerp(self.std, keep))


def first_law(course: Course, std: float) -> Law:
    """Every listed atom alike, or normal around the middle of the space."""
    lead = course.n, course.horizon
    if course.space is None:
        atoms = course.listed("the search")
        return Categorical(atoms, course.like.new_full((*lead, len(atoms)), 1 / len(atoms)))
    mean = course.space.project(course.like.new_zeros(*lead, course.space.dim))
    return Normal(course.space, mean, torch.full_like(mean, std))


def _weighed(weights: Tensor, values: Tensor) -> Tensor:
    """Σ_k w_kn v_kn: (n, t, …)."""
    return (weights[..., None, None] * values).sum(0)
