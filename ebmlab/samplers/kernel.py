"""`Kernel`: a transition cut in two, its random numbers and a pure function of them."""

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self, TypeGuard

import torch
from torch import Tensor

from ebmlab._slopes import require_floating
from ebmlab.errors import ConfigurationError
from ebmlab.kernels.threefry import fresh_seeds
from ebmlab.protocols import Sampler
from ebmlab.samplers._steps.source import Counted, Drawn, Source
from ebmlab.samplers._steps.start import begin
from ebmlab.types import Potential

__all__ = ["Kernel", "as_kernel", "is_sampler", "made"]


class Kernel(ABC):
    """A sampler whose step is `move(u, state, draw(state, source))`.

    `draw` takes every random number of a step from a source, in a shape that does not depend on
    where the chains stand; `move` is a pure function of tensors. So the numbers of several steps
    can be drawn ahead, and many steps compiled into one program (`run(…, compile=True)`).

    Attributes:
        numbers: the fields that may be numbers or tensors, such as step_size. A compiled program
            takes them as tensors, so one program serves all values.
        counted: True where each step takes one seed from the caller's generator and counts its
            numbers from it; False where it draws them all from the generator, which is cheaper
            for many uniform numbers of eager sweeps.

    Example:
        >>> from ebmlab.samplers import Langevin
        >>> isinstance(Langevin(0.1), Kernel)
        True
    """

    numbers: ClassVar[tuple[str, ...]] = ()

    @property
    def counted(self) -> bool:
        """Whether a step counts its numbers from a seed."""
        return True

    @property
    def block(self) -> int:
        """How many transitions are worth compiling into one program; 0 if none can be."""
        return 10

    def require(self, y: Tensor) -> None:
        """Raise unless y is of the kind that this kernel moves: floating point, as a rule."""
        require_floating(y)

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> Any:
        """Energies and gradients at the start."""
        return begin(u, y)

    @abstractmethod
    def draw(self, state: Any, source: Source) -> Any:
        """All random numbers of one transition: a tensor, or a tuple (of tuples) of them."""

    @abstractmethod
    def move(self, u: Potential, state: Any, noise: Any) -> tuple[Any, Any]:
        """The transition that these random numbers make: (state, info)."""

    def energies(self, u: Potential, state: Any) -> Tensor:
        """u at the chains (chains,), with its graph in whatever u depends on; y is a constant.

        A kernel whose state knows a part of it already need not compute that again.
        """
        return u(state.y.detach())

    def under(self, u: Potential, state: Any) -> Any:
        """The same chains where u is another potential than before; all else in a state stays.

        A kernel whose state knows a part of u already need not compute that again.
        """
        if "grad" in state._fields:
            energy, grad = u.value_and_grad(state.y)
            return state._replace(energy=energy, grad=grad)
        return state._replace(energy=u(state.y).detach())

    def step(self, u: Potential, state: Any, rng: torch.Generator) -> tuple[Any, Any]:
        """One transition of every chain: draw, then move."""
        return self.move(u, state, self.draw(state, self.source(rng)))

    def source(self, rng: torch.Generator) -> Source:
        """Where the next step takes its random numbers from."""
        return Counted(fresh_seeds(rng, 1)[0]) if self.counted else Drawn(rng)

    def traced(self) -> Self:
        """The same kernel with tensors for its numbers."""
        numbers = {name: getattr(self, name) for name in self.numbers}
        tensors = {k: torch.as_tensor(v, dtype=torch.float64) for k, v in numbers.items()}
        return dataclasses.replace(self, **tensors)  # pyright: ignore[reportArgumentType]


@dataclasses.dataclass(frozen=True, eq=False)
class _Whole(Kernel):
    """Any sampler as a kernel: its noise is the generator, so nothing is drawn ahead."""

    sampler: Sampler

    @property
    def _known(self) -> Any:
        """Who knows what y must be, and parts of u: the sampler, if it is a kernel."""
        return self.sampler if isinstance(self.sampler, Kernel) else super()

    def require(self, y: Tensor) -> None:
        self._known.require(y)

    def energies(self, u: Potential, state: Any) -> Tensor:
        return self._known.energies(u, state)

    def under(self, u: Potential, state: Any) -> Any:
        return self._known.under(u, state)

    @property
    def counted(self) -> bool:
        """No: it is handed the generator."""
        return False

    @property
    def block(self) -> int:
        """None: a step that draws for itself cannot be compiled."""
        return 0

    def init(self, u: Potential, y: Tensor, rng: torch.Generator) -> Any:
        state = self.sampler.init(u, y, rng)
        return _record(f"{type(self.sampler).__name__}.init", state, "State", ("y", "energy"))

    def draw(self, state: Any, source: Source) -> torch.Generator:
        return source.rng

    def move(self, u: Potential, state: Any, noise: torch.Generator) -> tuple[Any, Any]:
        moved, info = self.sampler.step(u, state, noise)
        who = f"the info of {type(self.sampler).__name__}.step"
        return moved, _record(who, info, "Info", ("acceptance",))


def _record(who: str, record: Any, like: str, names: tuple[str, ...]) -> Any:
    lacks = [name for name in names if name not in getattr(record, "_fields", ())]
    if lacks:
        raise ConfigurationError(
            f"{who} is a {type(record).__name__} without {' and '.join(lacks)}; return an "
            f"ebmlab.types.{like}, or a NamedTuple of tensors with {', '.join(names)}"
        )
    return record


def as_kernel(sampler: Sampler) -> Kernel:
    """The sampler itself if it is a kernel, else a kernel that takes its steps whole.

    A kernel with a `step` of its own is taken whole as well: its `move` is not that step.

    Raises:
        ConfigurationError: it has no init or no step.
    """
    if isinstance(sampler, Kernel) and type(sampler).step is Kernel.step:
        return sampler
    if not is_sampler(sampler):
        raise ConfigurationError(
            f"{sampler!r} is no sampler: it must be an object with init(u, y, rng) and "
            "step(u, state, rng), as Langevin(0.1) is; see ebmlab.protocols.Sampler"
        )
    return _Whole(sampler)


def is_sampler(given: object) -> TypeGuard[Sampler]:
    """Whether this is a sampler, and not a class or a function that makes one."""
    return isinstance(given, Sampler) and not isinstance(given, type)


def made(kernel: Any, temperature: float | Tensor) -> Any:
    """The sampler, or what a function makes of a temperature."""
    return kernel(temperature) if callable(kernel) and not is_sampler(kernel) else kernel
