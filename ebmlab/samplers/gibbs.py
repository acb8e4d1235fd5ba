"""Block Gibbs: blocks of y drawn anew from their exact conditionals, in turn."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_device
from ebmlab._rows import require_finite, row_sums
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.discrete import BINARY, StateSpace
from ebmlab.samplers.kernel import Kernel
from ebmlab.types import Conditionals, GibbsState, Info, Potential

__all__ = ["Coloring", "Gibbs", "GibbsState"]


@dataclass(frozen=True, eq=False)
class Coloring:
    """Conditionals of a discrete y whose sites of one color do not interact.

    For an energy that is linear in each site, -∂u/∂y_i are the exact logits of site i given all
    others, and sites of one color are independent given the rest. They come from u itself, so
    that any temperature, sum or scale of energies is served; a sweep costs one gradient per color.

    Args:
        colors: masks over the sites, of bool, that hold each site once; `Ising(…).colors`,
            `Potts(…).colors`, or one site each: `tuple(torch.eye(n).bool())`.
        space: `Binary()` for y in {0, 1}, `Categorical()` for one-hot y.

    Raises:
        ShapeError, DeviceError: masks and sites differ in shape, or lie on different devices.
        ConfigurationError: the colors do not hold each site once; y starts outside the space; or u
            is not linear in the sites of a color, as seen when all of them change.

    Example:
        >>> even = torch.tensor([True, False, True, False])
        >>> chain = Coloring((even, ~even))
        >>> u = Potential(lambda y: (y[:, 1:] * y[:, :-1]).sum(-1))
        >>> chain.enter(u, torch.ones(1, 4)).energy
        tensor([3.])
    """

    colors: tuple[Tensor, ...]
    space: StateSpace = BINARY

    def __post_init__(self) -> None:
        if not self.colors or any(mask.shape != self.colors[0].shape for mask in self.colors):
            raise ShapeError(f"colors have shapes {[tuple(mask.shape) for mask in self.colors]}")
        if not bool((torch.stack(self.colors).sum(0) == 1).all()):
            raise ConfigurationError("colors must hold each site exactly once")

    def enter(self, u: Potential, y: Tensor) -> GibbsState:
        """Chains at y, which must lie in the space; u must be linear in each color's sites."""
        self.space.require(y)
        if self.colors[0].shape != self.space.sites(y):
            sites = f"the sites of y {tuple(y.shape)} have {tuple(self.space.sites(y))}"
            raise ShapeError(f"colors have shape {tuple(self.colors[0].shape)}, but {sites}")
        require_device("y", y.device, {"colors": self.colors})
        energy, grad = u.value_and_grad(y)
        away = self.space.another(y)
        for i, color in enumerate(self.colors):
            step = torch.where(self.space.over(color), away - y, 0.0)
            error = u(y + step).detach() - energy - row_sums(grad * step)
            scale = 1 + energy.abs() + row_sums((grad * step).abs())
            if bool((error.abs() > torch.finfo(y.dtype).eps ** 0.5 * scale).any()):
                raise ConfigurationError(
                    f"the energy is not linear in color {i}: its sites interact, or y enters "
                    "other than site by site; give sites that interact different colors"
                )
        return GibbsState(y, energy, y.new_empty(len(y), 0))

    def draw(self, y: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Random numbers for one choice at every site."""
        return (self.space.draw(y, rng),)

    def sweep(self, u: Potential, state: GibbsState, noise: Any) -> GibbsState:
        """All colors in turn; where u is linear, the step along its gradient is its change."""
        y, energy, fields = state
        for color in self.colors:
            energy, grad = u.value_and_grad(y)
            fresh = torch.where(self.space.over(color), self.space.choose(-grad, *noise), y)
            energy = energy + row_sums(grad * (fresh - y))
            y = fresh
        return GibbsState(y, energy, fields)

    def energies(self, u: Potential, state: GibbsState) -> Tensor:
        """Those of u at y: nothing is known of them beforehand."""
        return u(state.y)


@dataclass(frozen=True, eq=False)
class Gibbs(Kernel):
    """Block Gibbs: every step draws each block of y from its conditional given the rest, in turn.

    Nothing is rejected, and exp(-u) is left exactly invariant. For temperature T sample u / T with
    a `Coloring`, whose conditionals are those of u; for an RBM see `RBM.at`.

    Args:
        conditionals: the blocks and how they are drawn.

    Raises:
        ConfigurationError, ShapeError: the conditionals are not those of u, or y starts outside
            their space.

    Example:
        >>> from ebmlab.energies import Ising
        >>> from ebmlab.samplers import run
        >>> rng = torch.Generator().manual_seed(0)
        >>> ising, start = Ising((8, 8), coupling=0.2), torch.zeros(100, 8, 8)
        >>> sampler, u = Gibbs(Coloring(ising.colors)), (ising / 0.5).given()
        >>> run(sampler, u, start, steps=9, rng=rng).state.y.unique()
        tensor([0., 1.])

    Source: Geman, Geman 1984.
    """

    conditionals: Conditionals

    @property
    def counted(self) -> bool:
        """No: a sweep takes a number for every unit."""
        return False

    @property
    def block(self) -> int:
        """Two: a sweep is several gradients, and compilation time grows with them."""
        return 2

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> GibbsState:
        """Energies at the start, after a check that the conditionals are those of u."""
        state = self.conditionals.enter(u, y.detach())
        require_finite(state.y, state.energy, state.energy, "y: chain")
        return state

    def draw(self, state: GibbsState, source: Source) -> tuple[Tensor, ...]:
        """The random numbers of one sweep."""
        return self.conditionals.draw(state.y, source.rng)

    def move(self, u: Potential, state: GibbsState, noise: Any) -> tuple[GibbsState, Info]:
        """One sweep over the blocks of every chain."""
        moved = self.conditionals.sweep(u, state, noise)
        return moved, Info(torch.ones_like(moved.energy))

    def energies(self, u: Potential, state: GibbsState) -> Tensor:
        """u at the chains, with its graph, by what the conditionals know of it."""
        return self.conditionals.energies(u, state)
