"""Spaces of discrete y, binary and categorical."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._rows import row_sums
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers._steps.start import uniform_like
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Potential, State

__all__ = ["BINARY", "Binary", "Categorical", "Informed", "StateSpace", "gumbel_like"]


class StateSpace(ABC):
    """What values the sites of y take, and how they are drawn; y is a floating-point tensor.

    Draws are functions of random numbers that were taken before: `choose(logits, draw(y, rng))`.
    """

    @abstractmethod
    def require(self, y: Tensor) -> None:
        """Raise unless y lies in the space."""

    @abstractmethod
    def sites(self, y: Tensor) -> torch.Size:
        """The shape of the sites of one event."""

    @abstractmethod
    def another(self, y: Tensor) -> Tensor:
        """A point that differs from y at every site."""

    @abstractmethod
    def over(self, sites: Tensor) -> Tensor:
        """A mask of sites as one that meets y."""

    @abstractmethod
    def draw(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """Random numbers for one independent choice at every site."""

    @abstractmethod
    def choose(self, logits: Tensor, noise: Tensor) -> Tensor:
        """The choice that these random numbers make at every site: a point of the space."""

    @abstractmethod
    def log_prob(self, logits: Tensor, y: Tensor) -> Tensor:
        """Log probability (chains,) that independent choices make y."""

    @abstractmethod
    def pull(self, y: Tensor) -> Tensor:
        """Logits that hold y: -‖y' - y‖² at every site, up to a constant, as a function of y'."""

    @abstractmethod
    def gains(self, y: Tensor, grad: Tensor) -> Tensor:
        """First-order fall of u by each change of one site, y's shape; -∞ where none changes."""

    @abstractmethod
    def others(self, y: Tensor) -> int:
        """How many other values m each site may take."""

    @abstractmethod
    def falls(self, y: Tensor, costs: Tensor) -> Tensor:
        """E(y) - E(y') for each change of one site, (b, *sites, m), of what each value costs.

        `costs` are `Energy.site_energies`.
        """

    @abstractmethod
    def neighbors(self, y: Tensor, index: Tensor) -> Tensor:
        """Some y' that differ from y at one site, (c, b, *event); `index` (c,) counts (*sites, m).

        Changes stand in the order of `falls`.
        """

    @abstractmethod
    def change(self, y: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """y after the one change that `chosen` marks, and the mark of the change back."""


@dataclass(frozen=True)
class Binary(StateSpace):
    """y in {0, 1}, events (*sites); logits are the log odds of 1.

    Example:
        >>> Binary().gains(torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 2.0]]))
        tensor([[-2.,  2.]])
    """

    def require(self, y: Tensor) -> None:
        """Raise unless every entry is 0 or 1."""
        if not bool(((y == 0) | (y == 1)).all()):
            raise ConfigurationError(
                f"y holds {_odd(y, (y == 0) | (y == 1))}, but a Binary y holds 0 and 1 only; "
                "spins s = ±1 are y = (s + 1) / 2, one-hot y need Categorical()"
            )

    def sites(self, y: Tensor) -> torch.Size:
        """The event's shape."""
        return y.shape[1:]

    def another(self, y: Tensor) -> Tensor:
        """Every site flipped."""
        return 1 - y

    def over(self, sites: Tensor) -> Tensor:
        """The mask itself."""
        return sites

    def draw(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """Uniform numbers of y's shape."""
        return uniform_like(y, rng)

    def choose(self, logits: Tensor, noise: Tensor) -> Tensor:
        """1 with probability σ(logit)."""
        return (noise < logits.sigmoid()).to(logits)

    def log_prob(self, logits: Tensor, y: Tensor) -> Tensor:
        """Σ log σ(±logit)."""
        return row_sums(functional.logsigmoid((2 * y - 1) * logits))

    def pull(self, y: Tensor) -> Tensor:
        """y² - (1 - y)² = 2y - 1, the log odds of 1."""
        return 2 * y - 1

    def gains(self, y: Tensor, grad: Tensor) -> Tensor:
        """-∇u (y' - y) with y' = 1 - y."""
        return (2 * y - 1) * grad

    def others(self, y: Tensor) -> int:
        """One."""
        return 1

    def falls(self, y: Tensor, costs: Tensor) -> Tensor:
        """The cost of 1 where y is 1, and minus that where y is 0."""
        return self.gains(y, costs).unsqueeze(-1)

    def neighbors(self, y: Tensor, index: Tensor) -> Tensor:
        """One site flipped in each."""
        return torch.where(_marked(index, self.sites(y)), 1 - y, y)

    def change(self, y: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """One site flipped; the way back flips it again."""
        return torch.where(chosen, 1 - y, y), chosen


@dataclass(frozen=True)
class Categorical(StateSpace):
    """One-hot y, events (*sites, k) with k >= 2 states a site; logits have y's shape.

    Example:
        >>> Categorical().gains(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 5.0]]))
        tensor([[-inf, -3.]])
    """

    def require(self, y: Tensor) -> None:
        """Raise unless the last dimension is one-hot."""
        if y.ndim < 2 or y.shape[-1] < 2:
            raise ShapeError(
                f"y has shape {tuple(y.shape)}, but a Categorical y is (chains, *sites, k) with "
                "k >= 2 states in one-hot form"
            )
        fits = ((y == 0) | (y == 1)) & (y.sum(-1, keepdim=True) == 1)
        if not bool(fits.all()):
            raise ConfigurationError(
                f"y holds {_odd(y, fits)}, but a Categorical y is one-hot in its last "
                "dimension; torch.nn.functional.one_hot(labels, k).float() makes it so"
            )

    def sites(self, y: Tensor) -> torch.Size:
        """The event's shape but for the states."""
        return y.shape[1:-1]

    def another(self, y: Tensor) -> Tensor:
        """Every site in the state after its own."""
        return y.roll(1, -1)

    def over(self, sites: Tensor) -> Tensor:
        """The mask with a dimension for the states."""
        return sites.unsqueeze(-1)

    def draw(self, y: Tensor, rng: torch.Generator) -> Tensor:
        """Gumbel noise of y's shape."""
        return gumbel_like(y, rng)

    def choose(self, logits: Tensor, noise: Tensor) -> Tensor:
        """The state of the largest logit plus Gumbel noise: a draw from their softmax."""
        best = (logits + noise).argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)

    def log_prob(self, logits: Tensor, y: Tensor) -> Tensor:
        """Σ log softmax at the states of y."""
        return row_sums(torch.where(y > 0, logits.log_softmax(-1), 0.0))

    def pull(self, y: Tensor) -> Tensor:
        """2y: a change of state is √2 long."""
        return 2 * y

    def gains(self, y: Tensor, grad: Tensor) -> Tensor:
        """-∇u (y' - y) for every state but the present one."""
        falls = (y * grad).sum(-1, keepdim=True) - grad
        return torch.where(y > 0, -torch.inf, falls)

    def others(self, y: Tensor) -> int:
        """k - 1."""
        return y.shape[-1] - 1

    def falls(self, y: Tensor, costs: Tensor) -> Tensor:
        """The cost of the present state less that of the states after it, in turn."""
        turns = torch.arange(1, y.shape[-1], device=y.device)
        after = (y.argmax(-1, keepdim=True) + turns) % y.shape[-1]
        return (y * costs).sum(-1, keepdim=True) - costs.gather(-1, after)

    def neighbors(self, y: Tensor, index: Tensor) -> Tensor:
        """One site some states further on in each."""
        others = self.others(y)
        turned = torch.stack([y.roll(turn, -1) for turn in range(1, others + 1)])
        here = self.over(_marked(index // others, self.sites(y)))
        return torch.where(here, turned[index % others], y)

    def change(self, y: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """One site in another state; the way back restores the present one."""
        site = chosen.any(-1, keepdim=True)
        return torch.where(site, chosen.to(y), y), site & (y > 0)


BINARY = Binary()


def _marked(index: Tensor, sites: torch.Size) -> Tensor:
    """Masks (c, 1, *sites) of one site each."""
    marks = torch.arange(sites.numel(), device=index.device) == index[:, None]
    return marks.reshape(-1, 1, *sites)


def gumbel_like(y: Tensor, rng: torch.Generator) -> Tensor:
    """Standard Gumbel noise -log(-log ξ), ξ uniform, of y's shape, type and device."""
    # ξ = 0 gives -∞, which is never the largest; 1 is not drawn.
    return -(-uniform_like(y, rng).log()).log()


class Informed(Kernel):
    """A kernel on a `space` of discrete y whose proposals are led by the gradient."""

    space: StateSpace

    @property
    def counted(self) -> bool:
        """No: a step takes a number for every site."""
        return False

    @property
    def block(self) -> int:
        """Two: compilation time grows fast with the operations of a proposal and its reverse."""
        return 2

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> State:
        """Energies and gradients at the start, which must lie in the space."""
        self.space.require(y)
        return super().init(u, y, rng)


def _odd(y: Tensor, fits: Tensor) -> float | list[float]:
    """What of y does not fit."""
    return y[~fits][:4].tolist()
