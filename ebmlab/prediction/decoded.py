"""Which energies decode a y, and how."""

from collections.abc import Callable

from torch import Tensor, nn

from ebmlab._checks import over_batch, require_tensor
from ebmlab.algebra import Scaled, Sum, Tempered
from ebmlab.energies import BinaryCrossEntropy, CrossEntropy, JointEmbedding, Reconstruction
from ebmlab.energy import Energy
from ebmlab.free_energy import FreeEnergy
from ebmlab.types import Tree

__all__ = ["Decode", "decoder_of"]

Decode = Callable[[Tree, Tensor], Tensor]


def decoder_of(energy: Energy) -> Decode | None:
    """The function (x, z) -> y that an energy reconstructs with, or None.

    It is that of a `Reconstruction`; after the encoder of x where a `JointEmbedding` leaves y as
    it is; and found below free energies, weights and temperatures, and in sums with one decoder.
    Logits become the probabilities that they stand for.
    """
    if isinstance(energy, Reconstruction):
        return _likely(energy)
    if isinstance(energy, FreeEnergy | Scaled | Tempered):
        return decoder_of(energy.energy)
    if isinstance(energy, Sum):
        found = [decode for term in energy.terms if (decode := _of_module(term)) is not None]
        return found[0] if len(found) == 1 else None
    if isinstance(energy, JointEmbedding) and isinstance(energy.target, nn.Identity):
        inner = decoder_of(energy.head)
        return None if inner is None else _encoded(energy, inner)
    return None


def _of_module(term: nn.Module) -> Decode | None:
    return decoder_of(term) if isinstance(term, Energy) else None


def _likely(energy: Reconstruction) -> Decode:
    distance = energy.distance
    if isinstance(distance, BinaryCrossEntropy):
        return lambda x, z: energy.decode(x, z).sigmoid()
    if isinstance(distance, CrossEntropy):
        return lambda x, z: (energy.decode(x, z) / distance.temperature).softmax(-1)
    return energy.decode


def _encoded(energy: JointEmbedding, inner: Decode) -> Decode:
    def decode(x: Tree, z: Tensor) -> Tensor:
        h = over_batch(energy.online, (require_tensor("x", x), energy.x_event))
        return inner(h, z)

    return decode
