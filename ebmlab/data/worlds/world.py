"""What a world is: a state that nobody sees, actions that change it, and pictures of it."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self, final

import torch
from torch import Tensor

from ebmlab._checks import require_counts
from ebmlab.data._random import require_draw
from ebmlab.errors import ShapeError

__all__ = ["Clips", "Moves", "World", "stacked"]


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

    Example:
        >>> from ebmlab.data.worlds import BouncingBalls
        >>> film = BouncingBalls().clips(2, 6, torch.Generator().manual_seed(0))
        >>> x, y = film.pairs()
        >>> x.shape, film.stacked(2).frames.shape
        (torch.Size([2, 5, 1, 16, 16]), torch.Size([2, 5, 2, 16, 16]))
    """

    frames: Tensor
    actions: Tensor
    states: Tensor

    def pairs(self) -> tuple[Tensor, Tensor]:
        """What methods train on: x, all moments but the last, and y, the moment after each.

        Both are (n, length - 1, *event): things and their moments, which reach regularizers as
        groups.

        Raises:
            ShapeError: there is one moment only.
        """
        if self.frames.shape[1] < 2:
            raise ShapeError(f"frames have shape {tuple(self.frames.shape)}: one moment, no pair")
        return self.frames[:, :-1], self.frames[:, 1:]

    def stacked(self, k: int) -> Self:
        """Films whose moments show k frames at once, as one frame tells no velocity.

        Each moment is the last of its frames, so that k - 1 moments fewer are left: see `stacked`.
        """
        return type(self)(
            stacked(self.frames, k), self.actions[:, k - 1 :], self.states[:, k - 1 :]
        )


def stacked(frames: Tensor, k: int) -> Tensor:
    """Each k frames in a row as channels of one: (n, length, c, …) -> (n, length - k + 1, k c, …).

    Raises:
        ShapeError: there are no k frames, or frames are not (n, length, c, …).
        ConfigurationError: k < 1.

    Example:
        >>> stacked(torch.arange(4.0).reshape(1, 4, 1), 2)
        tensor([[[0., 1.],
                 [1., 2.],
                 [2., 3.]]])
    """
    require_counts(k=k)
    if frames.ndim < 3 or frames.shape[1] < k:
        raise ShapeError(
            f"frames have shape {tuple(frames.shape)}; expected (n, length >= {k}, channels, …)"
        )
    rest = frames.shape[1] - k + 1
    return torch.cat([frames[:, i : i + rest] for i in range(k)], dim=2)


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
