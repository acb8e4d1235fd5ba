"""What a world is: a state that nobody sees, actions that change it, and pictures of it."""

from abc import ABC, abstractmethod
from typing import NamedTuple, final

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.data._random import require_draw
from ebmlab.errors import ShapeError

__all__ = ["Clips", "Moves", "World"]


class Moves(NamedTuple):
    """Two moments of a world, and what lay between them.

    Attributes:
        x, y: what is seen before and after, (n, *event).
        action: what happened, which a model does not see: (n,) of whole numbers, or (n, a).
        state: that of x, (n, d).
    """

    x: Tensor
    y: Tensor
    action: Tensor
    state: Tensor


class Clips(NamedTuple):
    """Films of a world.

    Attributes:
        frames: (n, length, *event).
        actions: (n, length - 1) of whole numbers, or (n, length - 1, a).
        states: (n, length, d).
    """

    frames: Tensor
    actions: Tensor
    states: Tensor


class World(ABC):
    """A hidden state s, moved by hidden actions a, seen as pictures: the exact truth is known.

    A subclass says how a state starts, which actions there are, how they move a state (without
    chance), and what is seen of it.

    Attributes:
        codes: how many actions there are, numbered from 0; None where they are vectors (n, a).
    """

    codes: int | None

    @abstractmethod
    def start(self, n: int, rng: torch.Generator) -> Tensor:
        """First states (n, d)."""

    @abstractmethod
    def act(self, n: int, rng: torch.Generator) -> Tensor:
        """Actions by chance, (n,) of whole numbers or (n, a)."""

    @abstractmethod
    def step(self, state: Tensor, action: Tensor) -> Tensor:
        """The states (n, d) that actions lead to."""

    @abstractmethod
    def render(self, state: Tensor) -> Tensor:
        """What is seen of states (n, d): (n, *event)."""

    @final
    def moves(self, n: int, rng: torch.Generator) -> Moves:
        """N independent pairs of moments; ConfigurationError if n < 1, or rng is missing."""
        frames, actions, states = self.clips(n, 2, rng)
        return Moves(frames[:, 0], frames[:, 1], actions[:, 0], states[:, 0])

    @final
    def clips(self, n: int, length: int, rng: torch.Generator) -> Clips:
        """N independent films of `length` moments, with an action by chance between any two.

        Raises:
            ConfigurationError: n < 1, length < 1, or rng is missing.
        """
        require_draw(n, rng, type(self).__name__)
        require_counts(length=length)
        start = self.start(n, rng)
        actions = self.act(n * (length - 1), rng) if length > 1 else self.act(1, rng)[:0]
        actions = actions.unflatten(0, (n, length - 1))
        states = self.play(start, actions)
        frames = self.render(states.flatten(0, 1)).unflatten(0, (n, length))
        return Clips(frames, actions, states)

    @final
    def play(self, state: Tensor, actions: Tensor) -> Tensor:
        """The states (n, 1 + t, d) on the way from (n, d) by actions (n, t) or (n, t, a)."""
        if len(actions) != len(state):
            raise ShapeError(
                f"actions have shape {tuple(actions.shape)}, states {tuple(state.shape)}; each "
                "state has its own actions (n, t), or (n, t, a)"
            )
        states = [state]
        for action in actions.unbind(1):
            states.append(self.step(states[-1], action))
        return torch.stack(states, dim=1)
