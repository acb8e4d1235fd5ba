"""What an energy with z says of one step: from a state and a z to the next state."""

from dataclasses import dataclass

from torch import Tensor

from ebmlab._parts import single_ndim
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.free_energy import FreeEnergy
from ebmlab.protocols import Method
from ebmlab.types import Decode, Tree

__all__ = ["Dynamics", "dynamics", "energy_of"]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """States that an energy leads from one to the next, codes or what is seen itself.

    Attributes:
        energy: E(state, next state, z).
        step: (state, z) -> next state, the one of lowest energy.
        start: the state of x, (n, *event); None where the energy takes no x.
        goal: that of y, (n, *event).
    """

    energy: Energy
    step: Decode
    start: Tree
    goal: Tree

    @property
    def z_ndim(self) -> int:
        """Event dimensions of z, which is one tensor."""
        return single_ndim(self.energy)

    def states(self, z: Tensor, steps: int) -> list[Tree]:
        """The start and the states after each of the first `steps` z of (*batch, t, *event).

        The batch broadcasts with that of the start.
        """
        time = z.ndim - self.z_ndim - 1
        states = [self.start]
        for i in range(steps):
            if i:
                self._require_next(states[-1])
            states.append(self.step(states[-1], z.select(time, i)))
        return states

    def cost(self, z: Tensor) -> Tensor:
        """E(x_{t-1}, goal, z_t) at the last step, and R(z) of those before: (*batch)."""
        length = z.shape[-self.z_ndim - 1]
        time = z.ndim - self.z_ndim - 1
        last = self.states(z, length - 1)[-1]
        if length > 1:
            self._require_next(last)
        total = self.energy(last, self.goal, z.select(time, length - 1))
        for weight, prior in self.energy.split(lambda _: True)[1]:
            total = total + weight * prior(None, z.narrow(time, 0, length - 1)).sum(-1)
        return total

    def _require_next(self, state: Tree) -> None:
        """Raise unless a state that was reached is of the kind that a step begins from."""
        if not isinstance(self.start, Tensor) or not isinstance(state, Tensor):
            raise ConfigurationError(
                f"{type(self.energy).__name__} takes no x, so that one step is all there is: ask "
                "for a horizon of 1"
            )
        event = self.start.shape[1:]
        if state.shape[state.ndim - len(event) :] != event:
            raise ShapeError(
                f"a step leads from {tuple(event)} to {tuple(state.shape)}, (*batch, *event), "
                "which is not of x's kind: ask for a horizon of 1"
            )


def energy_of(method: Method | Energy) -> Energy:
    """A method's energy, or the energy itself."""
    return method.energy if isinstance(method, Method) else method


def dynamics(energy: Energy, x: Tree, y: Tree) -> Dynamics:
    """The steps of an energy from x and towards y: in y's own space where y is not encoded.

    Raises:
        ConfigurationError: the energy decodes nothing from a z.
    """
    whole = energy.decoding() is not None
    head, start, goal = (energy, x, y) if whole else energy.embed(x, y)
    judge = head.energy if isinstance(head, FreeEnergy) else head
    step = head.decoding()
    if step is None or not judge.takes_z:
        raise ConfigurationError(
            f"{type(energy).__name__} decodes no state from z, but ends in "
            f"{type(judge).__name__}: a step needs FreeEnergy of Reconstruction, or of "
            "JointEmbedding with such a head"
        )
    return Dynamics(judge, step, start if judge.takes_x else None, goal)
