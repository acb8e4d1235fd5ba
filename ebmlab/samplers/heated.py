"""`Heated`: any kernel at any temperature."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmlab._checks import require_positive
from ebmlab._rows import rows
from ebmlab.protocols import Sampler
from ebmlab.samplers._steps.source import Source
from ebmlab.samplers.kernel import Kernel, as_kernel
from ebmlab.types import Potential

__all__ = ["Heated"]


@dataclass(frozen=True, eq=False)
class Heated(Kernel):
    """Samples exp(-u / T) by a kernel's moves on u / T; states hold u and ∇u as they are.

    Hot laws are wide, √T times as wide on a Gaussian: a step size that suits u suits u / T times
    T for `Langevin` and `MALA`, and times √T where it is a time, as in `HMC` and `Underdamped`.

    Args:
        kernel: the sampler that moves, on u / T. Its state holds energies and gradients under
            the names `energy` and `grad`; the law of all else in it (momenta) does not depend on
            T.
        temperature: T > 0, or one for each chain, (chains,).

    Example:
        >>> from ebmlab.samplers import MALA, run
        >>> rng, u = torch.Generator().manual_seed(0), lambda y: 0.5 * y.square().sum(-1)
        >>> hot = Heated(MALA(3.0), temperature=4.0)
        >>> run(hot, u, torch.zeros(1000, 2), steps=50, rng=rng).state.y.var() > 3
        tensor(True)
    """

    kernel: Sampler
    temperature: float | Tensor

    def __post_init__(self) -> None:
        require_positive("temperature", self.temperature)
        as_kernel(self.kernel)

    @property
    def counted(self) -> bool:
        """As the kernel does."""
        return as_kernel(self.kernel).counted

    @property
    def block(self) -> int:
        """As many as of the kernel."""
        return as_kernel(self.kernel).block

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> Any:
        """The kernel's state at the start, in the units of u."""
        return self._rescaled(operator.mul, as_kernel(self.kernel).init(self._heated(u), y, rng))

    def draw(self, state: Any, source: Source) -> Any:
        """The kernel's random numbers."""
        return as_kernel(self.kernel).draw(state, source)

    def move(self, u: Potential, state: Any, noise: Any) -> tuple[Any, Any]:
        """The kernel's transition on u / T."""
        cold = self._rescaled(operator.truediv, state)
        moved, info = as_kernel(self.kernel).move(self._heated(u), cold, noise)
        return self._rescaled(operator.mul, moved), info

    def _heated(self, u: Potential) -> Potential:
        """The potential u / T."""

        def slope(y: Tensor) -> tuple[Tensor, Tensor]:
            energy, grad = u.value_and_grad(y)
            return self._each(operator.truediv, energy), self._each(operator.truediv, grad)

        return Potential(lambda y: self._each(operator.truediv, u(y)), slope)

    def _rescaled(self, by: Callable[..., Tensor], state: Any) -> Any:
        """A state with its energies and gradients multiplied, or divided, by T."""
        if type(state) is tuple:
            return tuple(self._rescaled(by, part) for part in state)
        parts = {
            name: self._rescaled(by, part) if isinstance(part, tuple) else self._each(by, part)
            for name, part in state._asdict().items()
            if isinstance(part, tuple) or name in {"energy", "grad"}
        }
        return state._replace(**parts)

    def _each(self, by: Callable[..., Tensor], t: Tensor) -> Tensor:
        """A tensor (chains, *event) multiplied, or divided, by T."""
        hot = self.temperature
        return by(t, rows(hot, t) if isinstance(hot, Tensor) else hot)
