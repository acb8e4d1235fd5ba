"""Two layers of units without bonds inside either: hidden ones summed out, or drawn in blocks."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmlab._checks import require_counts, require_generator, require_positive
from ebmlab._events import require_vectors
from ebmlab._precise import precise
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.rest import Rest
from ebmlab.types import Conditionals, GibbsState, Potential, Rng, Tree

__all__ = ["Bipartite", "BlockConditionals", "JointRBM", "Layers", "lit", "softplus"]


class Layers(Protocol):
    """Visible units v and binary hidden units, each independent given the other layer."""

    @property
    def hidden(self) -> int:
        """How many hidden units there are."""
        ...

    def require(self, v: Tensor) -> None:
        """Raise unless v (chains, visible) is what visible units may be."""
        ...

    def another(self, v: Tensor) -> Tensor:
        """Visible units that differ from v."""
        ...

    def fields(self, v: Tensor) -> Tensor:
        """What reaches each hidden unit from v, (chains, hidden): a function of v alone."""
        ...

    def summed(self, v: Tensor, fields: Tensor) -> Tensor:
        """Energies (chains,) with the hidden units summed out."""
        ...

    def linked(self, state: GibbsState) -> Tensor:
        """Energies (chains,) with their graph, where their values are known already."""
        ...

    def draw_hidden(self, fields: Tensor, noise: Tensor) -> Tensor:
        """Hidden units given v; the noise is uniform."""
        ...

    def noise(self, v: Tensor, rng: torch.Generator) -> Tensor:
        """The random numbers of one draw of v."""
        ...

    def draw_visible(self, h: Tensor, noise: Tensor) -> Tensor:
        """Visible units given h."""
        ...


class Bipartite(Energy):
    """F(v) = A(v) - Σ_j log(1 + exp(f_j(v))): E(v, h) = A(v) - f(v)ᵀh with h in {0, 1} summed out.

    The sum *counts* hidden states: a free energy under the uniform prior over h is higher by
    hidden · log 2. A subclass says what A, f and v given h are.

    Args:
        visible: length of v.
        hidden: length of h.
        std: of the normal weights at the start, > 0; biases start at 0.
        rng: a CPU generator that draws the weights; one seeded with 0 if left out.

    Attributes:
        weights: W (visible, hidden).
        visible_bias: b (visible).
        hidden_bias: c (hidden).
    """

    shows = ("visible_bias", "hidden_bias")
    takes_x = False

    def __init__(self, visible: int, hidden: int, std: float, rng: Rng) -> None:
        super().__init__()
        require_counts(visible=visible, hidden=hidden)
        require_positive("std", std)
        rng = torch.Generator().manual_seed(0) if rng is None else rng
        rng = require_generator(rng, type(self).__name__, torch.device("cpu"))
        self.weights = nn.Parameter(std * torch.randn(visible, hidden, generator=rng))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    @property
    def hidden(self) -> int:
        """Length of h."""
        return len(self.hidden_bias)

    @abstractmethod
    def alone(self, v: Tensor) -> Tensor:
        """A(v) (*batch): the energy with all hidden units at 0."""

    @abstractmethod
    def hidden_logits(self, v: Tensor) -> Tensor:
        """f(v): the log odds of each hidden unit given v (*batch, visible)."""

    @abstractmethod
    def hidden_energy(self, h: Tensor) -> Tensor:
        """-log of the sum, or the integral, of exp(-E(v, h)) over all v, shape (*batch).

        Z is the sum of exp(-hidden_energy) over the 2^hidden states of h.
        """

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        v = require_vectors("y", y, len(self.visible_bias), type(self).__name__)
        return self.summed(v, precise(self.hidden_logits(v)))

    def summed(self, v: Tensor, fields: Tensor) -> Tensor:
        """F(v), where f(v) is known already."""
        return self.alone(v) - softplus(fields).sum(-1)

    def fields(self, v: Tensor) -> Tensor:
        """f(v) in float32 or better, of v in any precision."""
        return precise(self.hidden_logits(v.to(self.weights.dtype)))

    def linked(self, state: GibbsState) -> Tensor:
        """F(v) with its graph in the parameters; what is known saves no work here."""
        return self(None, state.y)

    def draw_hidden(self, fields: Tensor, noise: Tensor) -> Tensor:
        """1 with probability σ(f)."""
        return lit(fields, noise)

    def encode(self, y: Tree) -> Tensor:
        """Means of the hidden units given y (*batch, visible)."""
        who = type(self).__name__
        return self.hidden_logits(require_vectors("y", y, len(self.visible_bias), who)).sigmoid()

    def joint(self) -> "JointRBM":
        """E(v, h) with z = h, of the same parameters."""
        return JointRBM(self)

    def conditionals(self) -> "BlockConditionals":
        """h given v, then v given h: `Gibbs(rbm.conditionals())` samples `rbm.given()`."""
        return BlockConditionals(self)

    @abstractmethod
    def require(self, v: Tensor) -> None:
        """Raise unless v is what visible units may be."""

    def require_chains(self, v: Tensor) -> None:
        """Raise unless v is (chains, visible)."""
        require_vectors("y", v, len(self.visible_bias), type(self).__name__)
        if v.ndim != 2:
            raise ShapeError(f"y has shape {tuple(v.shape)}; expected (chains, visible)")

    @abstractmethod
    def another(self, v: Tensor) -> Tensor:
        """Visible units that differ from v."""

    @abstractmethod
    def noise(self, v: Tensor, rng: torch.Generator) -> Tensor:
        """The random numbers of one draw of v."""

    @abstractmethod
    def draw_visible(self, h: Tensor, noise: Tensor) -> Tensor:
        """Visible units given h."""


class JointRBM(Energy):
    """E(v, h) = A(v) - f(v)ᵀh with y = v and z = h: an RBM with its hidden units.

    Args:
        rbm: whose parameters it shares.

    Example:
        >>> from ebmlab.energies import RBM
        >>> joint = RBM(3, 2).joint()
        >>> joint(None, torch.zeros(4, 3), torch.zeros(4, 2)).detach()
        tensor([-0., -0., -0., -0.])
    """

    takes_x = False
    takes_z = True

    def __init__(self, rbm: Bipartite) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        rbm = self.rbm
        v = require_vectors("y", y, len(rbm.visible_bias), "JointRBM")
        h = require_vectors("z", z, rbm.hidden, "JointRBM")
        return rbm.alone(v) - (rbm.hidden_logits(v) * h).sum(-1)


@dataclass(frozen=True, eq=False)
class BlockConditionals(Conditionals):
    """h given v, then v given h: blocks for `Gibbs` over v, with h auxiliary.

    What reaches the hidden units is kept from one sweep to the next, and tells the energy.

    Args:
        layers: the machine; for exp(-E(v, h) / T) take `rbm.at(T)`, here and in the potential.

    Example:
        >>> from ebmlab.energies import RBM
        >>> from ebmlab.samplers import Gibbs, run
        >>> rbm, start, rng = RBM(6, 4), torch.zeros(9, 6), torch.Generator().manual_seed(0)
        >>> chain = run(Gibbs(rbm.conditionals()), rbm.given(), start, steps=5, rng=rng)
        >>> chain.state.y.unique()
        tensor([0., 1.])
    """

    layers: Layers

    @torch.no_grad()
    def enter(self, u: Potential, y: Tensor) -> GibbsState:
        """Chains at y; raises unless u is, up to a constant, the machine's free energy."""
        if isinstance(u, Rest):
            raise ConfigurationError(
                "u is of the entries of y that a mask leaves unknown, but these blocks draw whole "
                "y: sample it by GibbsWithGradients"
            )
        self.layers.require(y)
        if not self._owns(u):
            self._compare(u, y)
        return self._state(u, y)

    def draw(self, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Uniform numbers for the hidden units, and what the visible ones need."""
        shape = len(y), self.layers.hidden
        uniform = torch.rand(shape, generator=rng, dtype=y.dtype, device=y.device)
        return uniform, self.layers.noise(y, rng)

    @torch.no_grad()
    def sweep(self, u: Potential, state: GibbsState, noise: Any) -> GibbsState:
        """Hidden units, then visible ones."""
        h = self.layers.draw_hidden(state.fields, noise[0])
        return self._state(u, self.layers.draw_visible(h, noise[1]).to(state.y))

    @torch.no_grad()
    def under(self, u: Potential, state: GibbsState) -> GibbsState:
        """Energies anew: what reaches the hidden units, which is known, tells those of u too."""
        return self._valued(u, state.y, state.fields)

    def energies(self, u: Potential, state: GibbsState) -> Tensor:
        """u at the chains, with its graph in the machine's parameters."""
        return self.layers.linked(state) if self._owns(u) else u(state.y)

    def _owns(self, u: Potential) -> bool:
        """Whether u was made from the machine itself: then it needs no evaluation of its own."""
        return u.origin == self.layers

    def _state(self, u: Potential, v: Tensor) -> GibbsState:
        return self._valued(u, v, self.layers.fields(v))

    def _valued(self, u: Potential, v: Tensor, fields: Tensor) -> GibbsState:
        energy = self.layers.summed(v, fields) if self._owns(u) else u(v)
        return GibbsState(v, energy, fields)

    def _compare(self, u: Potential, y: Tensor) -> None:
        other = self.layers.another(y)
        probes = torch.cat([y, other])
        own = self.layers.summed(probes, self.layers.fields(probes))
        apart = torch.cat([u(y), u(other)]) - own
        slack = torch.finfo(y.dtype).eps ** 0.5 * (1 + own.abs().max())
        if bool(((apart - apart[0]).abs() > slack).any()):
            raise ConfigurationError(
                "the potential is not this machine's: sample rbm.given() by rbm.conditionals(), "
                "path.at(t) by path.kernel(t); at temperature T take rbm.at(T) for both, since "
                "rbm / T is another energy"
            )


def lit(logits: Tensor, noise: Tensor) -> Tensor:
    """Binary units: 1 with probability σ(logit), by uniform noise."""
    # In place, numbers come in the type of logits: no booleans to convert.
    return logits.detach().sigmoid().gt_(noise)


def softplus(logits: Tensor) -> Tensor:
    """log(1 + exp(logit)), exact in float64."""
    # The default gives way to the identity at 20, an error of 2e-9 that float64 would show.
    return functional.softplus(logits, threshold=40)
