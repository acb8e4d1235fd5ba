"""Codes whose z is inferred once, for the loss and for the update of what it moves."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ebmlab._checks import leaves
from ebmlab.codes import Codes
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy, Inference
from ebmlab.types import Posterior, Rng, Tree

__all__ = ["recalled"]


def recalled(codes: Codes) -> Codes:
    """The same codes under a head that infers their z at most once, until something moves.

    The head stays where its update asks for no z, where gradients flow, so that the optimizer's
    step comes between, where numbers are drawn, where tensors do not tell when they move, and
    under autocast, where updates do without.
    """
    head = codes.head
    if not isinstance(head, FreeEnergy) or head.still or head.stochastic or head.part is not None:
        return codes
    data = [leaf for side in (*codes.x, *codes.y) for leaf in leaves(side)]
    known = _Known([*head.parameters(), *head.buffers(), *data])
    if len(codes.pairs) > 1 or any(map(_moving, known.tensors)):
        return codes
    return codes.over(FreeEnergy(head.energy, _Recalled(head.infer, known), head.temperature))


def _moving(t: Tensor) -> bool:
    return t.requires_grad or t.is_inference() or torch.is_autocast_enabled(t.device.type)


@dataclass(eq=False)
class _Known:
    """A posterior, of which pair it is, and the tensors that it stands on, with their versions."""

    tensors: list[Tensor]
    pair: tuple[Tree, Tree] | None = None
    q: Posterior | None = None
    versions: list[int] = field(default_factory=list)


class _Recalled(Inference):
    """Another inference, not asked again for the very pair that it was asked for last."""

    def __init__(self, infer: Inference, known: _Known) -> None:
        super().__init__()
        self.infer, self.known = infer, known
        self.bound, self.takes_x, self.z_parts = infer.bound, infer.takes_x, infer.z_parts

    def choose(self, energy: Energy, x: Tree, y: Tree, temperature: float, rng: Rng) -> Posterior:
        known, versions = self.known, [t._version for t in self.known.tensors]
        same = known.pair is not None and known.pair[0] is x and known.pair[1] is y
        if known.q is None or not same or known.versions != versions:
            known.q = self.infer(energy, x, y, temperature, rng=rng)
            known.pair, known.versions = (x, y), versions
        return known.q

    def update(self, x: Tree, y: Tree, q: Callable[[], Posterior]) -> None:
        self.infer.update(x, y, q)
