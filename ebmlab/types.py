"""The words that everything else is written in: trees, potentials, states, minima, chains."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ebmlab._kinds import REFUSALS, name_of, require_floats, retell
from ebmlab._slopes import slope
from ebmlab.errors import ConfigurationError, ShapeError

if TYPE_CHECKING:
    from ebmlab.kernels.chain import Slope

__all__ = [
    "Chain",
    "Conditionals",
    "Decode",
    "GibbsState",
    "Info",
    "Minimum",
    "Posterior",
    "Potential",
    "Rng",
    "State",
    "Tree",
    "as_potential",
]

Tree = Tensor | tuple[Tensor, ...] | None
Rng = torch.Generator | None
Decode = Callable[[Tree, Tree], Tensor]


class Potential:
    """A scalar function of one free variable, row by row: u: (chains, *event) -> (chains,).

    What `energy.given(x)` returns, and all that samplers, solvers and landscapes know. The
    gradient is autograd's, unless a hand-written one is given or a subclass writes
    `value_and_grad`.

    Args:
        function: maps (chains, *event) to (chains,), each row on its own.
        slope: maps y to energies and their gradient, both detached; None leaves it to autograd.
        origin: the energy or the callable that it was made from, whose compiled programs it
            shares; None for itself.
        in_kernel: its gradient as a kernel computes it; None where none is written.

    Raises:
        ShapeError: the function returns anything but one energy per row.

    Example:
        >>> import torch
        >>> u = Potential(lambda y: 0.5 * y.square().sum(-1))
        >>> u.value_and_grad(torch.ones(1, 2))
        (tensor([1.]), tensor([[1., 1.]]))
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        slope: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        origin: object | None = None,
        in_kernel: Callable[[], "Slope | None"] | None = None,
    ) -> None:
        self._function = function
        self._slope = slope
        self._origin = origin
        self._in_kernel = in_kernel

    @property
    def origin(self) -> object:
        """What the potential was made from."""
        return self if self._origin is None else self._origin

    def in_kernel(self) -> "Slope | None":
        """The gradient as a kernel computes it, as parameters are now; None where none is."""
        return None if self._in_kernel is None else self._in_kernel()

    def __call__(self, y: Tensor) -> Tensor:
        """Energies (chains,) at the rows of y (chains, *event)."""
        if torch.compiler.is_compiling():
            return _one_per_row(self._function(y), y)
        try:
            return _one_per_row(self._function(y), y)
        except REFUSALS as error:
            retell(error, name_of(self._function), y=y)

    def value_and_grad(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (chains,) and their gradient (chains, *event), both detached; y is not touched.

        Raises:
            DtypeError: y is not floating point.
            GradientError: the energy does not depend on y through differentiable operations.
        """
        if self._slope is not None:
            energy, grad = self._slope(y)
            return _one_per_row(energy, y), grad
        energy, grad = slope(self, y)
        return energy.detach(), grad


def _one_per_row(energy: Any, y: Tensor) -> Tensor:
    if not isinstance(energy, Tensor) or energy.shape != y.shape[:1]:
        got = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise ShapeError(
            f"a potential must return one energy per row: y has shape {tuple(y.shape)}, so "
            f"{tuple(y.shape[:1])} is expected, but {got} came back; reduce over the event only"
        )
    return require_floats("what a potential returned", energy)


def as_potential(u: Callable[[Tensor], Tensor]) -> Potential:
    """Wrap a callable (chains, *event) -> (chains,) as a `Potential`; potentials pass.

    Raises:
        ConfigurationError: u is an energy, or nothing that can be called.
    """
    if isinstance(u, Potential):
        return u
    who = type(u).__name__
    # Energies are built of potentials, not known to them.
    if hasattr(u, "given"):
        raise ConfigurationError(
            f"u is an energy of x and y, {who}; expected a potential, a function of y alone: pass "
            "energy.given(x), or energy.given() where there is no x"
        )
    if not callable(u):
        raise ConfigurationError(f"u is of type {who}; expected a function (n, *event) -> (n,)")
    return Potential(u, origin=u)


class State(NamedTuple):
    """Where a gradient-based chain stands; other samplers may carry more, `.y` is always there."""

    y: Tensor
    energy: Tensor
    grad: Tensor


class Info(NamedTuple):
    """What one step reports; `acceptance` (chains,) is always there, samplers may add fields."""

    acceptance: Tensor


class Chain(NamedTuple):
    """What `run` returns.

    `samples` is (kept, chains, *event), `energies` (kept, chains), `acceptance` (chains,) the mean
    over the steps, and `info` the sampler's own record with each field summed over the steps.
    """

    state: Any
    samples: Tensor
    energies: Tensor
    acceptance: Tensor
    info: Any


class Minimum(NamedTuple):
    """What a solver returns, row by row: where, how low, and how far from stationary."""

    argmin: Tensor
    energy: Tensor
    residual: Tensor


class Posterior(NamedTuple):
    """Weighted atoms of q(z | x, y).

    Attributes:
        atoms: (k, *batch, *event), a tuple where z has several parts; may carry gradients.
        weights: (k, *batch) or broadcastable to it; sums to 1 over k.
        information: (*batch), nats that z carries: KL(q || prior), or an estimate of it where
            draws are weighed.
        residual: (*batch), how far from converged; 0 where nothing iterates.
        energies: (k, *batch), E at the atoms where the inference knows them already, so that
            `FreeEnergy` need not evaluate them again.
        encoded: (*batch, *event), what an encoder gave, where the atom is a code that stands
            for it.
        counts: of a z of several parts, how many atoms each part has: (k1, k2, …) in their order,
            with k = … k2 k1, the first part fastest.
    """

    atoms: Tree
    weights: Tensor
    information: Tensor
    residual: Tensor
    energies: Tensor | None = None
    encoded: Tensor | None = None
    counts: tuple[int, ...] | None = None

    def single(self) -> Tensor:
        """The atoms of a z that is one tensor; raises a ConfigurationError of several parts."""
        if isinstance(self.atoms, Tensor):
            return self.atoms
        got = "none" if self.atoms is None else f"{len(self.atoms)} parts"
        raise ConfigurationError(f"one tensor z was expected, but z has {got}")


class GibbsState(NamedTuple):
    """Where a chain of block Gibbs stands; no gradient is kept.

    `fields` (chains, m) is what the next sweep begins with, such as what reaches the first block
    of units, so that it is not computed twice; m is 0 where nothing is kept. It is a function of y
    alone.
    """

    y: Tensor
    energy: Tensor
    fields: Tensor


class Conditionals(Protocol):
    """Blocks of y and their exact conditionals under exp(-u): what block Gibbs is made of.

    Auxiliary variables may be drawn on the way, fresh in every sweep, as the hidden units of an
    RBM are.
    """

    def enter(self, u: Potential, y: Tensor) -> GibbsState:
        """Chains that start at y (chains, *event); no gradient passes.

        Raises where these are not conditionals of exp(-u), or y does not fit them.
        """
        ...

    def draw(self, y: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        """All random numbers of one sweep, in shapes that do not depend on y's values."""
        ...

    def sweep(self, u: Potential, state: GibbsState, noise: Any) -> GibbsState:
        """Draw every block anew given the others, in turn.

        A pure function of tensors that leaves exp(-u) invariant.
        """
        ...

    def under(self, u: Potential, state: GibbsState) -> GibbsState:
        """The same chains where u is another potential than before, whose `fields` are the same.

        No gradient passes.
        """
        ...

    def energies(self, u: Potential, state: GibbsState) -> Tensor:
        """u at the chains (chains,), with its graph in whatever u depends on."""
        ...
